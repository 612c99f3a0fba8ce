"""What happens to clients; what looks like prying; and what becomes of what takes two people, told
to the proposer's agency and the one concerned alone.

Ids, codes, counts and times; what was proposed, and why, is fetched by who may read it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from app.access.roles import Purpose
from app.core.jobs.bodies import Code, OperationId
from app.core.jobs.events import CODE, CODE_OR_NONE, Event


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


class ApprovalWithdrawn(AboutApproval):
    """Who proposed it, or approved it, took that back before it was used."""

    wire_name: ClassVar[str] = "approvals.withdrawn"


class ApprovalUsed(AboutApproval):
    """What was approved was done."""

    wire_name: ClassVar[str] = "approvals.used"


class _AboutReview(Event):
    subject: ClassVar[str] = "review"
    review_id: UUID = Field(description="The review that is owed.")
    operation: OperationId = Field(description="The operationId of what was done.")
    done_by_agency_id: UUID = Field(description="The agency of who did it.")
    concerns_agency_id: UUID | None = Field(description="The agency it is about.")
    due_at: datetime = Field(description="Until when another person must have looked at it.")


class ActedAlone(_AboutReview):
    """One person took power away, or read a reporter's contact in an emergency: it counts at once,
    and another person reviews it.
    """

    wire_name: ClassVar[str] = "approvals.acted_alone"


class ReviewLate(_AboutReview):
    """Nobody looked in time at what one person did alone: those above review it, and are told."""

    wire_name: ClassVar[str] = "approvals.review_late"


class KeysEnding(Event):
    """The keys of a client end in a month, or in a week: register others. Its agency is told."""

    wire_name: ClassVar[str] = "access.keys_ending"
    subject: ClassVar[str] = "client"
    until: datetime = Field(description="When they end.")


class Alarm(StrEnum):
    """What somebody does more often than is usual."""

    children_read = "children_read"
    """They were shown children, for one purpose on one day."""
    looked_elsewhere = "looked_elsewhere"
    """They asked from elsewhere for children, on one day."""
    numbers_tried = "numbers_tried"
    """They wrote resident numbers into files that others' files have, within a day."""
    names_sprayed = "names_sprayed"
    """From one network they guessed the passwords of many names, within an hour."""
    networks_sprayed = "networks_sprayed"
    """They guessed the password of one name from many networks, within an hour."""
    second_factor_guessed = "second_factor_guessed"
    """They gave a right password, and then one wrong code after another."""


class AlarmRaised(Event):
    """Somebody does more often than is usual what opens, or finds out about, many children: a
    mistake, or prying. Told to who supervises the place concerned and, of what it shows, to their
    agency; of numbers, it would tell whoever tried them which were right. Or somebody guesses what
    opens the account of a person, `subject_id`: told to that person's agency, too.
    """

    wire_name: ClassVar[str] = "audit.alarm_raised"
    subject: ClassVar[str] = "alarm"
    alarm: Annotated[Alarm, CODE] = Field(description="What it is that they do: a code.")
    counted: int = Field(ge=1, le=1_000_000, description="How often, so far.")
    by_agency_id: UUID | None = Field(
        default=None, description="The agency they act for; null: nobody knows who it is."
    )
    by_role: Code | None = Field(default=None, description="In what role: a code.")
    purpose: Annotated[Purpose | None, CODE_OR_NONE] = Field(
        default=None, description="For what purpose: a code."
    )
    mark: Annotated[Literal["alarm", "refuse"], CODE] = Field(
        description="Which mark was crossed: from `refuse` on no more is done for them that day."
    )
    known_to: tuple[UUID, ...] = Field(
        max_length=1, description="That agency, or that of the account, told wherever it is."
    )
