"""Household registration."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from app.children.sections.marks import Codes, Counted, PastDay, Section
from app.core.http.wire import GivenRegion

HukouType = Annotated[
    Literal["rural", "urban", "other"],
    Codes(
        "hukou_types",
        zh="户口性质",
        en="Kind of household registration",
        source="national form of 2016",
        labels={
            "rural": ("农业", "Rural"),
            "urban": ("非农业", "Urban"),
            "other": ("其他(含统一登记的居民户口)", "Other, or unified registration"),
        },
    ),
]


class Hukou(Section):
    """Household registration (户籍)."""

    dated: ClassVar = True
    registered: Counted[StrictBool | None] = Field(
        default=None, description="Whether the child is registered; null if nobody asked yet."
    )
    type: Counted[HukouType | None] = Field(
        default=None, description="Kind of registration; of an unregistered child, its household's."
    )
    region_code: Counted[GivenRegion | None] = Field(
        default=None, description="Where it is registered."
    )
    rural_place: Counted[StrictBool | None] = Field(
        default=None,
        description="Of a unified registration: whether its place is rural (城乡分类).",
    )
    since: Counted[PastDay | None] = Field(default=None, description="Since when this is so.")
