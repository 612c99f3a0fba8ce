"""Where the child lives."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from app.children.sections.marks import Codes, Counted, FilteredBy, PastDay, Section
from app.core.http.wire import GivenRegion, Line

Household = Annotated[
    Literal[
        "father",
        "mother",
        "step_parent",
        "grandparents",
        "relatives",
        "institution",
        "alone",
        "other",
    ],
    Codes(
        "households",
        zh="共同生活人",
        en="Who a child lives with",
        source="national form of 2016",
        labels={
            "father": ("父亲", "Father"),
            "mother": ("母亲", "Mother"),
            "step_parent": ("继父或继母", "Step-parent"),
            "grandparents": ("祖父母、外祖父母", "Grandparents"),
            "relatives": ("其他亲属", "Other relatives"),
            "institution": ("机构", "Institution"),
            "alone": ("独自居住", "Alone"),
            "other": ("其他", "Other"),
        },
    ),
]


class Residence(Section):
    """Where the child lives. The region decides whose remit the file is in."""

    dated: ClassVar = True
    region_code: Annotated[Counted[GivenRegion | None], FilteredBy("region_code")] = Field(
        default=None, description="Village, township or county the child lives in."
    )
    address: Line | None = Field(default=None, description="Address inside the region.")
    lives_with: Counted[list[Household]] = Field(
        default=[], max_length=8, description="Who the child lives with."
    )
    rural_place: Counted[StrictBool | None] = Field(
        default=None,
        description="Whether the place is rural (城乡分类); null if nobody said. Of another place"
        " it is asked anew (DEF-04).",
    )
    rural_since: Counted[PastDay | None] = Field(
        default=None,
        description="Since when the child lives in rural places of this county, with whomever."
        " Visits elsewhere do not interrupt it (DEF-04).",
    )
    since: Counted[PastDay | None] = Field(default=None, description="Since when this is so.")


class NewResidence(Residence):
    """Where the child lives; needed to open a file."""

    region_code: GivenRegion = Field(description="Village, township or county it lives in.")
