"""School and stage."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from app.children.sections.external import ExternalNumber
from app.children.sections.marks import Codes, Counted, FilteredBy, PastDay, Section
from app.core.http.wire import Line

Stage = Annotated[
    Literal[
        "not_in_kindergarten",
        "kindergarten",
        "primary",
        "junior_secondary",
        "senior_secondary",
        "vocational",
        "special",
        "other",
    ],
    Codes(
        "schooling_stages",
        zh="就学阶段",
        en="Stage of schooling",
        source="national form of 2016",
        labels={
            "not_in_kindergarten": ("未入园", "Not in kindergarten"),
            "kindergarten": ("幼儿园", "Kindergarten"),
            "primary": ("小学", "Primary school"),
            "junior_secondary": ("初中", "Junior secondary school"),
            "senior_secondary": ("高中", "Senior secondary school"),
            "vocational": ("中等职业学校", "Vocational school"),
            "special": ("特殊教育", "Special education"),
            "other": ("其他", "Other"),
        },
    ),
]
SchoolingStatus = Annotated[
    Literal["enrolled", "not_in_school", "dropout", "graduated"],
    Codes(
        "schooling_statuses",
        zh="就学状况",
        en="Whether a child is at school",
        source="national form of 2016",
        labels={
            "enrolled": ("在读", "At school"),
            "not_in_school": ("未上学", "Not in school (14 and 15)"),
            "dropout": ("辍学", "Dropped out of compulsory education"),
            "graduated": ("毕业", "Graduated"),
        },
    ),
]


class Education(Section):
    """School and stage."""

    dated: ClassVar = True
    school_id: Annotated[Counted[UUID | None], FilteredBy("school_id")] = Field(
        default=None, description="The school, an agency; null if the child is at none we know."
    )
    stage: Counted[Stage | None] = Field(
        default=None, description="Stage reached; of a child that dropped out, the one left."
    )
    grade: Counted[Annotated[StrictInt, Field(ge=1, le=12)] | None] = Field(
        default=None, description="Grade within the stage."
    )
    class_name: Counted[Line | None] = Field(
        default=None, description="The class, as the school writes it.", examples=["三年级2班"]
    )
    status: Counted[SchoolingStatus | None] = Field(
        default=None, description="Whether the child is at school."
    )
    boarding: Counted[StrictBool | None] = Field(
        default=None, description="Whether it boards there."
    )
    since: Counted[PastDay | None] = Field(default=None, description="Since when this is so.")
    student_numbers: list[ExternalNumber] = Field(
        default=[], max_length=10, description="Numbers by which schools know the pupil."
    )
