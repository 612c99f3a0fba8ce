"""Who looks after the child."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from app.children.sections.marks import Codes, Counted, Part, PastDay, Section
from app.core.http.wire import Line, Phone, Prose

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
Protection = Annotated[
    Literal["well", "basic", "not"],
    Codes(
        "protections",
        zh="保障程度",
        en="How well something is protected under a guardian",
        source="RSK-03",
        labels={
            "well": ("较好保障", "Well protected"),
            "basic": ("基本保障", "Basically protected"),
            "not": ("得不到有效保障", "Not protected"),
        },
    ),
]
Performance = Annotated[
    Literal["well", "basic", "not"],
    Codes(
        "guardian_performances",
        zh="履行监护职责程度",
        en="How a guardian performs the duty",
        source="RSK-03",
        labels={
            "well": ("较好履行", "Performs it well"),
            "basic": ("基本履行", "Basically performs it"),
            "not": ("不能履行", "Cannot perform it"),
        },
    ),
]
EvaluationRisk = Annotated[
    Literal["deviance", "psychological", "dropout", "wandering"],
    Codes(
        "evaluation_risks",
        zh="易出现的非正常情况",
        en="What may come of how a child is looked after",
        source="RSK-03",
        labels={
            "deviance": ("行为偏差", "Deviant behaviour"),
            "psychological": ("心理失当", "Psychological imbalance"),
            "dropout": ("辍学", "Dropping out"),
            "wandering": ("外出流浪乞讨", "Wandering and begging"),
        },
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
    birth_date: PastDay | None = Field(default=None, description="Date of birth.")
    address: Line | None = Field(default=None, description="Where the person lives.")
    phone: Phone | None = None


class EvaluationGrounds(Part):
    """What an evaluation rests on (RSK-03)."""

    performance: Performance | None = Field(
        default=None,
        description="How the guardian performs the duty (履行监护职责). Without it an evaluation"
        " is founded on half, and discharges nothing.",
    )
    life: Protection = Field(description="The child's life (生活).")
    education: Protection = Field(description="Its education (教育).")
    health: Protection = Field(description="Its health, of body and mind (身心健康).")
    risks: list[EvaluationRisk] = Field(
        default=[], max_length=4, description="What may come of it, or is the case."
    )
    notes: Prose | None = Field(default=None, description="What was seen.")


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
    evaluated_by: Line | None = Field(
        default=None, description="Who evaluated: name and post.", examples=["样板村儿童主任"]
    )
    evaluation_grounds: EvaluationGrounds | None = Field(
        default=None,
        description="What it rests on. Well looked after is who is well protected in all of it by"
        " who performs the duty well, and at no risk; fairly, who is basically protected. Without"
        " it nothing shows that a child is not poorly looked after.",
    )
    harm: Counted[list[Harm]] = Field(
        default=[],
        max_length=4,
        description="Harm through missing or improper guardianship (DEF-13).",
    )

    @property
    def founded(self) -> bool:
        """Whether somebody evaluated, on grounds that say how the duty is performed."""
        grounds = self.evaluation_grounds
        performed = grounds.performance if grounds else None
        return bool(self.evaluation and self.evaluated_by and performed)
