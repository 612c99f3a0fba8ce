"""What the service concludes from the other sections; nobody writes it."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from app.children.sections.marks import Codes, FilteredBy
from app.children.told import Told
from app.core.http.wire import Code, RegionCode

Category = Annotated[
    Code,
    Codes(
        "child_categories",
        zh="儿童类别",
        en="Category derived from the facts",
        source="DEF-01, DEF-10, DEF-15, DEF-16",
        labels={
            "left_behind": ("留守儿童", "Left-behind child"),
            "orphan": ("孤儿", "Orphan"),
            "unattended": ("事实无人抚养儿童", "De facto unattended child"),
            "difficulty.family": ("困境儿童:家庭困境", "In difficulty: family"),
            "difficulty.self": ("困境儿童:自身困境", "In difficulty: own disability or illness"),
            "difficulty.guardianship": ("困境儿童:监护困境", "In difficulty: guardianship"),
            "difficulty.temporary": ("困境儿童:临时困境", "In difficulty: temporary"),
        },
    ),
]
PriorityFlag = Annotated[
    Code,
    Codes(
        "priority_flags",
        zh="重点走访标志",
        en="Why a child is visited without exception",
        source="DEF-18, DEF-19, VIS-02",
        labels={
            "orphan": ("孤儿", "Orphan"),
            "no_guardian": ("无人监护", "Nobody looks after the child"),
            "one_away_other_incapable": (
                "一方外出另一方无监护能力",
                "One parent away, the other incapable",
            ),
            "poor_guardianship": ("监护情况差", "Poorly looked after"),
            "out_of_school": ("失学辍学", "Out of school"),
            "no_hukou": ("无户籍", "No household registration"),
            "disabled": ("残疾", "Disabled"),
            "ill": ("患病", "Ill"),
        },
    ),
]


Undecided = Annotated[
    Code, Field(description="A category, a priority flag, or `left_behind.counted`.")
]


class Derived(BaseModel):
    """What follows from the facts under the policy of the child's region on a day."""

    as_of: date | None = Field(description="The day it was last decided; checked anew every night.")
    policy_region: RegionCode = Field(description="County whose policy decided.")
    categories: Annotated[list[Category], FilteredBy("category")] = Field(
        max_length=20,
        description="left_behind, orphan, unattended, difficulty.family …: see the rules.",
        examples=[["left_behind", "difficulty.family"]],
    )
    priority_flags: Annotated[list[PriorityFlag], FilteredBy("priority_flag")] = Field(
        max_length=20,
        description="Why this child must be visited without exception (DEF-18, VIS-02).",
        examples=[["no_hukou"]],
    )
    undecided: Annotated[list[Undecided], FilteredBy("undecided")] = Field(
        max_length=30,
        description="Categories and flags that the file does not decide, because a fact is missing:"
        " somebody must ask (REG-03). See `GET /v1/children/{child_id}/reasons`.",
        examples=[["left_behind"]],
    )
    lacking: list[Annotated[str, Field(max_length=60, pattern=r"^[a-z_]+\.[a-z_]+$")]] = Field(
        max_length=30,
        description="What the file does not say that each file is to say (REG-12), of sections"
        " that your role reads.",
        examples=[["welfare.income_sources"]],
    )
    told: list[Told] = Field(
        max_length=200,
        description="Facts that other chains tell of the child, with who stated them: the dropout"
        " register, the police. Those of groups that your role reads.",
    )
    counted: list[Category] = Field(
        max_length=20,
        description="The categories under which a statistic counts the child (DEF-06: 农村户籍).",
        examples=[["left_behind"]],
    )
