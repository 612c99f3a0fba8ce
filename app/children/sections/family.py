"""The parents, and what is the case with them."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from app.children.sections.health import DisabilityType
from app.children.sections.marks import Codes, Part, PastDay, Section
from app.core.http.wire import Day, GivenRegion, Line, Phone

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
        "unidentified",
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
            "unidentified": ("身份不明(如生父不明)", "Nobody knows who it is"),
            "unknown": ("情况不详", "What is the case is not known"),
        },
    ),
]
Relation = Annotated[
    Literal["parent", "step"],
    Codes(
        "parent_relations",
        zh="亲子关系",
        en="What makes somebody a parent",
        source="民法典 1071, 1072, 1111",
        labels={
            "parent": ("父母(生父母或养父母)", "Parent, by birth or adoption"),
            "step": ("继父母", "Step-parent"),
        },
    ),
]
Custody = Annotated[
    Literal["father", "mother", "both", "other"],
    Codes(
        "custodies",
        zh="离婚后抚养",
        en="Who raises the child after a divorce",
        source="民法典 1084",
        labels={
            "father": ("由父亲直接抚养", "The father"),
            "mother": ("由母亲直接抚养", "The mother"),
            "both": ("轮流抚养", "Both in turn"),
            "other": ("由他人抚养", "Somebody else"),
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
    relation: Relation = Field(default="parent", description="In law, or by marriage.")
    name: Line | None = Field(default=None, description="Full name.")
    birth_date: PastDay | None = Field(default=None, description="Date of birth.")
    phone: Phone | None = None
    work_place: Line | None = Field(default=None, description="Where the parent works.")
    work_region: GivenRegion | None = Field(
        default=None, description="Division the parent works in; its county or what lies above."
    )
    disability_type: DisabilityType | None = Field(
        default=None, description="Kind of disability of the parent."
    )
    disability_grade: Annotated[StrictInt, Field(ge=1, le=4)] | None = Field(
        default=None, description="Grade on the parent's card; 1 is the most severe."
    )
    statuses: list[ParentStatus] = Field(
        default=[], max_length=30, description="What is and was the case, in any order."
    )
    guardianship_capacity: Capacity | None = Field(
        default=None, description="Whether the parent can act as guardian (DEF-03)."
    )
    incapacity_reason: IncapacityReason | None = Field(default=None, description="Why not.")
    incapacity_certificate: Line | None = Field(
        default=None,
        description="The paper that shows it: a hospital's certificate, or the number of a"
        " disability card.",
    )


class Sibling(Part):
    """A brother or sister."""

    name: Line | None = Field(default=None, description="Full name.")
    birth_date: PastDay | None = Field(default=None, description="Day of birth.")
    child_id: UUID | None = Field(default=None, description="The sibling's file, if there is one.")


class Family(Section):
    """The parents, and the brothers and sisters."""

    dated: ClassVar = True
    parents: list[Parent] = Field(default=[], max_length=4, description="One entry per parent.")
    divorced_on: PastDay | None = Field(
        default=None, description="Since when the parents are divorced."
    )
    custody: Custody | None = Field(
        default=None, description="Who raises the child since; null if nobody said."
    )
    siblings: list[Sibling] = Field(
        default=[], max_length=20, description="Brothers and sisters, in any order."
    )
