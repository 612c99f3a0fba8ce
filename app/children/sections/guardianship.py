"""Who looks after the child."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from app.children.sections.marks import Codes, Counted, Part, PastDay, Section
from app.core.http.wire import Line, Phone

GuardianshipKind = Annotated[
    Literal["parent", "grandparents", "relatives", "institution", "none", "other"],
    Codes(
        "guardianship_kinds",
        zh="监护类型",
        en="Who looks after a child",
        source="national form of 2016",
        labels={
            "parent": ("父母监护", "Parent"),
            "grandparents": ("祖父母、外祖父母监护", "Grandparents"),
            "relatives": ("其他亲属监护", "Other relatives"),
            "institution": ("机构照料", "Institution"),
            "none": ("无人监护", "Nobody"),
            "other": ("其他", "Other"),
        },
    ),
]
Evaluation = Annotated[
    Literal["good", "fair", "poor"],
    Codes(
        "guardian_evaluations",
        zh="监护情况评价",
        en="How well a child is looked after",
        source="RSK-03",
        labels={"good": ("较好", "Good"), "fair": ("一般", "Fair"), "poor": ("差", "Poor")},
    ),
]
Harm = Annotated[
    Literal["abuse", "abandonment", "accident", "unlawful_harm"],
    Codes(
        "guardianship_harms",
        zh="监护不当伤害",
        en="Harm through missing or improper guardianship",
        source="DEF-13",
        labels={
            "abuse": ("虐待", "Abuse"),
            "abandonment": ("遗弃", "Abandonment"),
            "accident": ("意外伤害", "Accident"),
            "unlawful_harm": ("不法侵害", "Unlawful harm"),
        },
    ),
]


class Guardian(Part):
    """The person who looks after the child now."""

    name: Line | None = Field(default=None, description="Full name.")
    relation: Line | None = Field(default=None, description="What the person is to the child.")
    phone: Phone | None = None


class Guardianship(Section):
    """Who looks after the child, and how well (RSK-03)."""

    dated: ClassVar = True
    kind: Counted[GuardianshipKind | None] = Field(
        default=None, description="Who looks after the child; none: nobody does."
    )
    guardian: Guardian | None = Field(default=None, description="The person.")
    since: Counted[PastDay | None] = Field(default=None, description="Since when this is so.")
    left_unwatched: Counted[StrictBool | None] = Field(
        default=None,
        description="Whether a child under eight, or one that needs special care, is left with"
        " nobody watching it (未成年人保护法 21).",
    )
    evaluation: Counted[Evaluation | None] = Field(
        default=None, description="Latest evaluation: 较好 good, 一般 fair, 差 poor."
    )
    evaluated_on: Counted[PastDay | None] = Field(
        default=None, description="Day of the evaluation."
    )
    harm: Counted[list[Harm]] = Field(
        default=[],
        max_length=4,
        description="Harm through missing or improper guardianship (DEF-13).",
    )
