"""School and stage."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from app.children.sections.external import ExternalNumber
from app.children.sections.marks import Codes, Counted, FilteredBy, Part, PastDay, Section
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
Subject = Annotated[
    Literal["overall", "chinese", "mathematics", "foreign_language", "science", "morals", "other"],
    Codes(
        "school_subjects",
        zh="成绩科目",
        en="What a result at school is in",
        source="REG-10",
        labels={
            "overall": ("综合", "Overall"),
            "chinese": ("语文", "Chinese"),
            "mathematics": ("数学", "Mathematics"),
            "foreign_language": ("外语", "Foreign language"),
            "science": ("科学", "Science"),
            "morals": ("道德与法治", "Morals and law"),
            "other": ("其他", "Other"),
        },
    ),
]
Mark = Annotated[
    Literal["excellent", "good", "pass", "fail"],
    Codes(
        "school_marks",
        zh="成绩等级",
        en="Mark of a result at school",
        source="REG-10",
        labels={
            "excellent": ("优秀", "Excellent"),
            "good": ("良好", "Good"),
            "pass": ("合格", "Pass"),
            "fail": ("不合格", "Fail"),
        },
    ),
]


class Result(Part):
    """One result at school (学习成绩): a mark, or points."""

    on: PastDay = Field(description="Day of the examination or report.")
    subject: Subject = Field(description="What it is in.")
    mark: Mark | None = Field(default=None, description="The mark, where marks are given.")
    points: Annotated[StrictInt, Field(ge=0, le=1000)] | None = Field(
        default=None, description="The points, where points are given."
    )
    out_of: Annotated[StrictInt, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Of how many points."
    )


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
    results: list[Result] = Field(
        default=[], max_length=200, description="Results at school, in any order."
    )
    student_numbers: list[ExternalNumber] = Field(
        default=[], max_length=10, description="Numbers by which schools know the pupil."
    )
