"""Health and disability."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from app.children.sections.marks import Codes, Counted, Section
from app.core.http.wire import Line, Prose

HealthStatus = Annotated[
    Literal["healthy", "weak", "chronic", "seriously_ill", "disabled", "other"],
    Codes(
        "health_statuses",
        zh="健康状况",
        en="State of health",
        source="national form of 2016",
        labels={
            "healthy": ("健康", "Healthy"),
            "weak": ("体弱", "Weak"),
            "chronic": ("慢性病", "Chronically ill"),
            "seriously_ill": ("重病", "Seriously ill"),
            "disabled": ("残疾", "Disabled"),
            "other": ("其他", "Other"),
        },
    ),
]
DisabilityType = Annotated[
    Literal["vision", "hearing", "speech", "limb", "intellectual", "mental", "multiple"],
    Codes(
        "disability_types",
        zh="残疾类别",
        en="Kind of disability",
        source="GB/T 26341",
        labels={
            "vision": ("视力残疾", "Vision"),
            "hearing": ("听力残疾", "Hearing"),
            "speech": ("言语残疾", "Speech"),
            "limb": ("肢体残疾", "Limb"),
            "intellectual": ("智力残疾", "Intellectual"),
            "mental": ("精神残疾", "Mental"),
            "multiple": ("多重残疾", "Multiple"),
        },
    ),
]


class Health(Section):
    """Health and disability."""

    status: Counted[HealthStatus | None] = Field(
        default=None, description="State of health, national form of 2016."
    )
    disability_card_no: str | None = Field(
        default=None,
        min_length=20,
        max_length=22,
        pattern=r"^[0-9X]{20,22}$",
        description="Number of the second-generation disability card (DEF-12).",
    )
    disability_type: Counted[DisabilityType | None] = Field(
        default=None, description="Kind of disability on the card."
    )
    disability_grade: Counted[Annotated[StrictInt, Field(ge=1, le=4)] | None] = Field(
        default=None, description="Grade on the card; 1 is the most severe."
    )
    illness: Line | None = Field(default=None, description="Which illness, if the child is ill.")
    notes: Prose | None = Field(default=None, description="What a visitor must know.")
