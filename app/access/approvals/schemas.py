"""Approvals and reviews on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from app.access.approvals.models import ApprovalState, ReviewResult, ReviewState
from app.access.events import Verdict
from app.core.http.wire import Input, Moment, Permitted, ShownRegion

Reason = Annotated[
    str,
    Field(
        min_length=10,
        max_length=2000,
        pattern=r"^[^\x00]*\S[^\x00]*$",
        examples=["区公安分局更换接口密钥,来函〔2026〕12号。"],
    ),
]
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class TakenAway(Input):
    """Why power is taken away. It waits for no reason: it may be left out, and given none, the
    whole body.
    """

    reason: Reason | None = Field(default=None, description="Why, for who reviews it.")


UNSAID: Final = TakenAway()
"""What stands where no body is sent."""


def because(about: Mapping[str, Any], taken: TakenAway) -> dict[str, Any]:
    """Add to what an act is about why it was done, for its review."""
    return {**about, "reason": taken.reason}


OperationId = Annotated[
    str,
    Field(
        min_length=3,
        max_length=60,
        pattern=r"^[a-z][A-Za-z]+$",
        description="The operationId of the request.",
        examples=["registerClient"],
    ),
]
Path = Annotated[
    str,
    Field(
        min_length=5,
        max_length=300,
        pattern=r"^/v1/[A-Za-z0-9/_-]+$",
        description="Its path, exactly as it will be sent.",
        examples=["/v1/clients"],
    ),
]
Word = Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]


class ApprovalCreate(Input):
    """A request that takes two people, as it is to be sent once it is approved."""

    operation: OperationId
    path: Path
    body: dict[str, Any] | None = Field(
        default=None,
        description="Its body; null if it has none. Judged as the operation judges it.",
    )
    reason: Reason = Field(description="Why, for who decides and for the agency concerned.")


class Decision(Input):
    """What the second person says."""

    verdict: Verdict = Field(description="Whether it may be done.")
    reason: Reason = Field(description="Why.")


class ReviewFinding(Input):
    """What another person found."""

    finding: ReviewResult = Field(description="Whether it was in order.")
    note: Reason = Field(description="What was looked at, and what follows.")


class ApprovalSummary(BaseModel):
    """An approval, without the request it is for."""

    id: UUID = Field(description="The approval; the header `Approval` names it.")
    operation: OperationId
    path: Path
    state: ApprovalState = Field(description="Where it stands at this moment.")
    role: Word = Field(description="As what it was proposed; who decides holds the same role.")
    proposed_by: UUID = Field(description="The person who proposed it.")
    agency_id: UUID = Field(description="Their agency.")
    concerns_id: UUID | None = Field(description="The agency whose power it is about, if any yet.")
    region_code: ShownRegion | None = Field(
        description="In whose remit it is decided; null: in the proposer's agency."
    )
    proposed_at: Moment = Field(description="When it was proposed.")
    expires_at: Moment = Field(description="Until when it can be decided and used.")
    verdict: Verdict | None = Field(description="What the second person said.")
    decided_by: UUID | None = Field(description="Who that was.")
    decided_in: UUID | None = Field(description="Their agency.")
    decided_at: Moment | None = Field(description="When they said so.")
    withdrawn_at: Moment | None = Field(description="When its proposer took it back.")
    used_at: Moment | None = Field(description="When it was done.")
    permitted: Permitted


class Approval(ApprovalSummary, title="ApprovalShown"):
    """An approval, with the whole request: nobody approves what they cannot read."""

    body: dict[str, Any] | None = Field(description="The body of the request, as proposed.")
    reason: Text = Field(description="Why it was proposed.")
    decision_reason: Text | None = Field(description="Why it was approved or refused.")


class ReviewSummary(BaseModel):
    """What one person did alone, which another reviews."""

    id: UUID = Field(description="The review.")
    operation: OperationId
    path: Path
    state: ReviewState = Field(description="Where it stands at this moment.")
    role: Word = Field(description="In what role it is reviewed.")
    done_by: UUID | None = Field(description="The person who did it; null for a system.")
    agency_id: UUID = Field(description="Their agency.")
    concerns_id: UUID | None = Field(description="The agency it is about.")
    region_code: ShownRegion | None = Field(
        description="In whose remit it is reviewed; null: in the agency of who did it."
    )
    done_at: Moment = Field(description="When it was done.")
    due_at: Moment = Field(description="Until when another person must have looked at it.")
    finding: ReviewResult | None = Field(description="What another person found.")
    reviewed_by: UUID | None = Field(description="Who that was.")
    reviewed_in: UUID | None = Field(description="Their agency.")
    reviewed_at: Moment | None = Field(description="When.")
    permitted: Permitted


class Review(ReviewSummary, title="ReviewShown"):
    """A review, with what was said."""

    reason: Text | None = Field(description="Why it was done, if that had to be said.")
    note: Text | None = Field(description="What the reviewer wrote.")
