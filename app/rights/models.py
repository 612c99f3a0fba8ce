"""What the child, or a guardian, asks about the child's data, and what they were answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field

from app.children.below import BelowChild, below_child
from app.core.data import rls, sealed
from app.core.data.columns import Instant, one_of

ASKED: Final = "rights_requests.asked"
ANSWER: Final = "rights_requests.answer"


class RightsKind(StrEnum):
    """What is asked (个人信息保护法 15, 44–50, 未成年人网络保护条例 34)."""

    access = "access"
    """查阅、复制."""
    portability = "portability"
    """转移, in a form that machines read."""
    correction = "correction"
    supplement = "supplement"
    erasure = "erasure"
    explanation = "explanation"
    """解释说明处理规则, and why the child is in a category."""
    withdrawal = "withdrawal"
    """Of a consent."""


class AskedBy(StrEnum):
    """Who asks."""

    child = "child"
    guardian = "guardian"
    office = "office"
    """An office for the child, which nobody else speaks for."""


class IdentityCheck(StrEnum):
    """How it was seen who asks, and that they may."""

    resident_id_card = "resident_id_card"
    household_register = "household_register"
    guardianship_paper = "guardianship_paper"
    known_in_person = "known_in_person"
    not_checked = "not_checked"


class RightsState(StrEnum):
    """Where a request stands."""

    open = "open"
    answered = "answered"
    taken_back = "taken_back"


class RightsOutcome(StrEnum):
    """What was answered."""

    granted = "granted"
    partly = "partly"
    refused = "refused"


class RefusalReason(StrEnum):
    """Why something was refused. None of them can tell that there is a case: whether one is open
    changes no answer (AZ-8).
    """

    not_entitled = "not_entitled"
    """Who asks is neither the child nor its guardian, or did not show it."""
    not_held = "not_held"
    """There is no such data."""
    found_right = "found_right"
    """It was looked into, and is right as it stands."""
    needed_by_law = "needed_by_law"
    """A statutory duty goes on that needs it."""
    kept_by_law = "kept_by_law"
    """The purpose has ended, and the law demands keeping: it is stored and nothing else."""
    of_somebody_else = "of_somebody_else"
    """It is somebody else's data, or their secret."""


_NARROWED_BY: Final = ("kind", "state")
"""What lists are narrowed by: for who sees many and asks for few of them."""


class RightsRequest(BelowChild, table=True):
    """One request. `due_at`: by when it is to be answered. `held_by_id`: the agency that answered
    it, which sees it wherever the file lies by then. Sealed: who asks and what (JSON), and the
    words of the answer. `copy_sha256`: of the copy that was made, which itself is not kept.
    `restricted_…`: since when, at whose place and school the file was, that is only stored by now.
    """

    __tablename__ = "rights_requests"
    __table_args__: Any = below_child(
        "rights_requests",
        one_of("kind", RightsKind),
        one_of("asked_by", AskedBy),
        one_of("identity_check", IdentityCheck),
        one_of("state", RightsState),
        one_of("outcome", RightsOutcome),
        one_of("reason", RefusalReason),
        CheckConstraint("(state = 'answered') = (answered_at IS NOT NULL)", name="answered"),
        CheckConstraint("(outcome IS NULL) = (answered_at IS NULL)", name="outcome_said"),
        CheckConstraint("(restricted_at IS NULL) = (restricted_from IS NULL)", name="restricted"),
        Index("ix_rights_requests_child_id_opened_at", "child_id", "opened_at", "id"),
        Index("ix_rights_requests_region_code_opened_at", "region_code", "opened_at", "id"),
        Index("ix_rights_requests_held_by_id_opened_at", "held_by_id", "opened_at", "id"),
        # For who sees many of them.
        Index("ix_rights_requests_opened_at_id", "opened_at", "id"),
        *(
            Index(f"ix_rights_requests_{each}", each, "opened_at", "id")
            for each in ("kind", "state")
        ),
        Index(
            "ix_rights_requests_restricted",
            "opened_at",
            "id",
            postgresql_where=text("restricted_at IS NOT NULL"),
        ),
        privileges="SELECT, INSERT, UPDATE",
        also=(rls.own("held_by_id"),),
    )

    id: UUID
    kind: str
    asked_by: str
    identity_check: str
    asked_sealed: bytes
    received_on: date
    agency_id: UUID = Field(foreign_key="agencies.id")
    opened_at: datetime = Field(sa_type=Instant)
    opened_by: str
    due_at: datetime = Field(sa_type=Instant)
    state: str
    copy_sha256: bytes | None = None
    copied_at: datetime | None = Field(default=None, sa_type=Instant)
    copied_by: str | None = None
    outcome: str | None = None
    reason: str | None = None
    answer_sealed: bytes | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    answered_by: str | None = None
    held_by_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    restricted_at: datetime | None = Field(default=None, sa_type=Instant)
    restricted_from: int | None = Field(default=None, sa_type=BigInteger)
    restricted_school: UUID | None = None
    restriction_ended_at: datetime | None = Field(default=None, sa_type=Instant)
    restriction_ended_by: str | None = None
    erased_at: datetime | None = Field(default=None, sa_type=Instant)
    erased_by: str | None = None
    version: int


sealed.below_child("rights_requests", {"asked_sealed": ASKED, "answer_sealed": ANSWER})
