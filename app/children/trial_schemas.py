"""Trials of policy values on the wire."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.children.schemas import Count
from app.core.http.wire import GivenRegion, Input, ShownRegion
from app.policy.schemas import ParameterName

TriedKind = Literal["category", "flag", "undecided"]
TrialState = Literal["counting", "done", "cancelled", "failed"]
TrialFailure = Literal["region_replaced", "rules_changed", "value_not_derived"]


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


class ExactTrial(BaseModel):
    """A value that is tried on all children of a place, and how far that is. Nothing is changed."""

    trial_id: UUID = Field(description="The trial's id.")
    parameter: ParameterName
    region_code: ShownRegion = Field(description="Where.")
    value: Any = Field(description="The value.")
    state: TrialState = Field(
        description="Whether files are being looked at, or what became of it."
    )
    failure: TrialFailure | None = Field(
        description="Why it failed: the place, or a part of it, got another code; another release"
        " derives by other rules; nothing could be derived under the value. Else null."
    )
    files: Count = Field(description="About how many files there are, counted within the hour.")
    looked_at: Count = Field(description="How many of them were looked at.")
    unsure: Count = Field(
        description="How many may be one too many or too few in each figure: who moved from one"
        " part of the place to another meanwhile, and files that cannot be read."
    )
    started_at: datetime = Field(description="When it was begun; it is kept for a time from then.")
    advanced_at: datetime = Field(description="When files were looked at last.")
    ended_at: datetime | None = Field(description="When it came to its end; null: it has not.")
    effects: list[TriedEffect] | None = Field(
        max_length=100,
        description="By kind and code, once it is done; what is, and would be, of fewer than three"
        " stays out. Null: it is not done.",
    )
