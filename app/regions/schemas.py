"""Divisions on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.core.http.wire import Day, ShownRegion
from app.regions.rules import Level

PlaceName = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]+$")]


class Region(BaseModel):
    """One division, as it holds or held."""

    code: ShownRegion
    name: PlaceName = Field(description="Name.", examples=["上仓镇"])
    level: Level = Field(description="How high it stands.")
    parent_code: ShownRegion = Field(
        description="The division it lies in; 000000000000 for a province.",
        examples=["120119000000"],
    )
    valid_from: Day | None = Field(
        description="First day of the code; null where the source does not say."
    )
    valid_until: Day | None = Field(description="Last day of the code; null while it holds.")
    successor_code: ShownRegion | None = Field(
        description="The code that took its place; null while it holds or if none did."
    )
    succession: Literal["whole", "merged", "split"] | None = Field(
        description="How that took its place: whole; merged with other places; or split, and the"
        " successor is where the largest part lies. Null where nobody said."
    )


class RegionFound(Region):
    """One division of a list."""

    formerly: list[PlaceName] = Field(
        max_length=500,
        description="Names of before, of this place or of one that it took over, by which `q`"
        " finds it; empty without `q`.",
        examples=[["蓟县"]],
    )
