"""What happens to clients; and what becomes of what takes two people, told to the proposer's agency
and the one concerned alone.

Ids, codes and times; what was proposed, and why, is fetched by who may read it.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import OperationId
from app.core.jobs.events import Event


class Verdict(StrEnum):
    """What the second person says."""

    approved = "approved"
    refused = "refused"


class AboutApproval(Event):
    subject: ClassVar[str] = "approval"
    approval_id: UUID = Field(description="The approval.")
    operation: OperationId = Field(description="The operationId of what it is for.")
    proposed_by_agency_id: UUID = Field(description="The agency of who proposed it.")
    concerns_agency_id: UUID | None = Field(description="The agency whose power it is about.")


class ApprovalProposed(AboutApproval):
    """Somebody asks for another person's approval."""

    wire_name: ClassVar[str] = "approvals.proposed"
    expires_at: datetime = Field(description="Until when it can be decided and used.")


class ApprovalDecided(AboutApproval):
    """Another person approved or refused it."""

    wire_name: ClassVar[str] = "approvals.decided"
    verdict: Verdict = Field(description="What they said.")


class ApprovalUsed(AboutApproval):
    """What was approved was done."""

    wire_name: ClassVar[str] = "approvals.used"


class ActedAlone(Event):
    """One person took power away, or read a reporter's contact in an emergency: it counts at once,
    and another person reviews it.
    """

    wire_name: ClassVar[str] = "approvals.acted_alone"
    subject: ClassVar[str] = "review"
    review_id: UUID = Field(description="The review that is owed.")
    operation: OperationId = Field(description="The operationId of what was done.")
    done_by_agency_id: UUID = Field(description="The agency of who did it.")
    concerns_agency_id: UUID | None = Field(description="The agency it is about.")
    due_at: datetime = Field(description="Until when another person must have looked at it.")


class KeysEnding(Event):
    """The keys of a client end in a month, or in a week: register others. Its agency is told."""

    wire_name: ClassVar[str] = "access.keys_ending"
    subject: ClassVar[str] = "client"
    until: datetime = Field(description="When they end.")
