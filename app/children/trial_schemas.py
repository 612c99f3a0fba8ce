"""Trials of policy values on the wire."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.children.schemas import Count
from app.core.http.wire import GivenRegion, Input, ShownRegion
from app.policy.schemas import ParameterName

TriedKind = Literal["category", "flag", "undecided"]


class PolicyTrialAsked(Input):
    """A value of a policy parameter to be tried in a place."""

    parameter: ParameterName
    region_code: GivenRegion = Field(
        description="The division that would set it; what one below it sets itself stays."
    )
    value: Any = Field(description="The value, shaped as the parameter's schema says.")


class Counted(BaseModel):
    """How many children, to the nearest five; of a sample, between what it lies 19 times of 20."""

    count: Count = Field(description="How many, to the nearest five.")
    low: Count = Field(description="At least.")
    high: Count = Field(description="At most.")


class TriedEffect(BaseModel):
    """What would become of one category or flag, or of its being undecided."""

    kind: TriedKind = Field(description="What `code` is; `undecided`: of either, not decided.")
    code: str = Field(
        max_length=60,
        pattern=r"^[a-z_.]+$",
        description="The category or flag.",
        examples=["left_behind"],
    )
    before: Counted = Field(description="Who are in it now.")
    after: Counted = Field(description="Who would be.")
    gained: Counted = Field(description="Who would come in.")
    lost: Counted = Field(description="Who would go out.")


class PolicyTrial(BaseModel):
    """What would become of the children of a place, of whom the caller may know, under another
    value. Nothing was changed.
    """

    parameter: ParameterName
    region_code: ShownRegion = Field(description="Where.")
    exact: bool = Field(description="Whether every file was looked at; if not, a sample was.")
    files: Count = Field(description="How many there are, counted within the hour.")
    looked_at: Count = Field(description="How many of them were looked at.")
    effects: list[TriedEffect] = Field(
        max_length=100,
        description="By kind and code; what is, and would be, of fewer than three stays out.",
    )
