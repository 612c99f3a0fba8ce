"""The parents, and what is the case with them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from app.children.sections.marks import Codes, Part, PastDay, Section
from app.core.http.wire import Day, Line, Phone

ParentRole = Annotated[
    Literal["father", "mother"],
    Codes(
        "parent_roles",
        zh="父母",
        en="Parents",
        source="national form of 2016",
        labels={"father": ("父亲", "Father"), "mother": ("母亲", "Mother")},
    ),
]
ParentCondition = Annotated[
    Literal[
        "at_home",
        "away",
        "dead",
        "missing",
        "not_found",
        "lost_contact",
        "left_home",
        "remarried",
        "imprisoned",
        "drug_rehabilitation",
        "liberty_restricted",
        "serious_illness",
        "severe_disability",
        "mental_disability",
        "hiv_no_work",
        "guardianship_revoked",
        "deported",
        "unknown",
    ],
    Codes(
        "parent_statuses",
        zh="父母情况",
        en="What is the case with a parent",
        source="DEF-01, DEF-13, DEF-16; 民发〔2019〕62号",
        labels={
            "at_home": ("在家", "At home"),
            "away": ("外出务工", "Away for work"),
            "dead": ("死亡", "Dead"),
            "missing": ("失踪", "Missing"),
            "not_found": ("查找不到", "Cannot be found"),
            "lost_contact": ("失联", "Out of contact"),
            "left_home": ("离家出走", "Left home"),
            "remarried": ("改嫁(再婚)", "Remarried"),
            "imprisoned": ("服刑在押", "Imprisoned"),
            "drug_rehabilitation": ("强制隔离戒毒", "Compulsory drug rehabilitation"),
            "liberty_restricted": ("被执行其他限制人身自由的措施", "Liberty restricted otherwise"),
            "serious_illness": ("重病", "Seriously ill"),
            "severe_disability": ("重残", "Severely disabled"),
            "mental_disability": ("精神或智力残疾", "Mental or intellectual disability"),
            "hiv_no_work": ("感染艾滋病无劳动能力", "Unable to work with HIV/AIDS"),
            "guardianship_revoked": ("被撤销监护资格", "Guardianship revoked"),
            "deported": ("被遣送(驱逐)出境", "Deported"),
            "unknown": ("不详", "Unknown"),
        },
    ),
]
Capacity = Annotated[
    Literal["full", "none"],
    Codes(
        "guardianship_capacities",
        zh="监护能力",
        en="Guardianship capacity",
        source="DEF-03",
        labels={"full": ("有监护能力", "Has capacity"), "none": ("无监护能力", "Has none")},
    ),
]
IncapacityReason = Annotated[
    Literal["serious_illness", "severe_disability", "other"],
    Codes(
        "incapacity_reasons",
        zh="丧失监护能力原因",
        en="Why guardianship capacity was lost",
        source="DEF-03",
        labels={
            "serious_illness": ("重病", "Serious illness"),
            "severe_disability": ("重残", "Severe disability"),
            "other": ("其他", "Other"),
        },
    ),
]


class ParentStatus(Part):
    """One thing that is or was the case with a parent."""

    status: ParentCondition = Field(description="What is the case.")
    since: PastDay | None = Field(default=None, description="Since when; null if nobody knows.")
    until: Day | None = Field(default=None, description="Last day it was so; null while it is.")
    term_months: Annotated[StrictInt, Field(ge=1, le=600)] | None = Field(
        default=None, description="Length of a sentence or other term, in months."
    )


class Parent(Part):
    """What is known of one parent."""

    role: ParentRole = Field(description="Which parent.")
    name: Line | None = Field(default=None, description="Full name.")
    phone: Phone | None = None
    work_place: Line | None = Field(default=None, description="Where the parent works.")
    statuses: list[ParentStatus] = Field(
        default=[], max_length=30, description="What is and was the case, in any order."
    )
    guardianship_capacity: Capacity | None = Field(
        default=None, description="Whether the parent can act as guardian (DEF-03)."
    )
    incapacity_reason: IncapacityReason | None = Field(default=None, description="Why not.")


class Family(Section):
    """The parents."""

    dated: ClassVar = True
    parents: list[Parent] = Field(default=[], max_length=2, description="One entry per parent.")
