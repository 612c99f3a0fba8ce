"""The family's economy and the help it has."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from app.children.sections.marks import Codes, Counted, Part, PastDay, Section
from app.core.http.wire import Day, Line

IncomeSource = Annotated[
    Literal["migrant_work", "farming", "business", "wages", "benefits", "other"],
    Codes(
        "income_sources",
        zh="收入来源",
        en="What the household lives on",
        source="national form of 2016, STA-02",
        labels={
            "migrant_work": ("外出务工", "Migrant work"),
            "farming": ("务农", "Farming"),
            "business": ("经商", "Business"),
            "wages": ("工资", "Wages"),
            "benefits": ("政府救助", "Benefits"),
            "other": ("其他", "Other"),
        },
    ),
]
HardshipKind = Annotated[
    Literal["sudden_event", "accidental_injury", "major_illness", "other"],
    Codes(
        "hardship_kinds",
        zh="临时困境原因",
        en="What put a child in difficulty for a time",
        source="DEF-14",
        labels={
            "sudden_event": ("突发事件", "Sudden event"),
            "accidental_injury": ("意外伤害", "Accidental injury"),
            "major_illness": ("重大疾病", "Major illness"),
            "other": ("其他", "Other"),
        },
    ),
]


class Hardship(Part):
    """A sudden event that puts the child in difficulty for a time (DEF-14)."""

    kind: Counted[HardshipKind] = Field(description="What happened.")
    since: Counted[PastDay] = Field(description="When.")
    review_on: Counted[Day] = Field(
        description="The day from which it is asked whether it still is so; until somebody says a"
        " later one, or its last day, that is undecided."
    )
    until: Counted[Day | None] = Field(
        default=None, description="Last day it was so; null while it is, or nobody said."
    )


class Welfare(Section):
    """The family's economy and the help it has."""

    poor: Counted[StrictBool | None] = Field(
        default=None, description="Poverty makes living, treatment or schooling hard (DEF-11)."
    )
    income_sources: Counted[list[IncomeSource]] = Field(
        default=[], max_length=6, description="What the household lives on, main source first."
    )
    yearly_income: Annotated[StrictInt, Field(ge=0, le=100_000_000)] | None = Field(
        default=None, description="Income of the household in its last year, in yuan."
    )
    members: Annotated[StrictInt, Field(ge=1, le=50)] | None = Field(
        default=None, description="How many live on it."
    )
    aids: list[Line] = Field(default=[], max_length=20, description="Help received.")
    hardships: Counted[list[Hardship]] = Field(
        default=[], max_length=20, description="Sudden events."
    )
