"""What takes two people, and what one did alone and another looks at afterwards.

Neither says where it stands in a column: an approval expires by itself, a review is late by itself,
both by the clock of the database. `IN_STATE` and `IN_REVIEW_STATE` read it off the times.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from app.access.events import Verdict
from app.core.data import distribution, hiding, retention, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.ids import new_id

BODY: Final = "approvals.body"
REASON: Final = "approvals.reason"
DECISION_REASON: Final = "approvals.decision_reason"
ALONE_REASON: Final = "reviews.reason"
NOTE: Final = "reviews.note"


class ApprovalState(StrEnum):
    """Where an approval stands."""

    proposed = "proposed"
    approved = "approved"
    refused = "refused"
    withdrawn = "withdrawn"
    """By who proposed it, before it was used."""
    used = "used"
    expired = "expired"


class ReviewState(StrEnum):
    """Where a review stands."""

    owed = "owed"
    late = "late"
    """Nobody looked at it in time; it is still owed."""
    done = "done"


class ReviewResult(StrEnum):
    """What somebody else found of an act of one."""

    proper = "proper"
    improper = "improper"


IN_STATE: Final = {
    ApprovalState.used: "{0}.used_at IS NOT NULL",
    ApprovalState.withdrawn: "{0}.withdrawn_at IS NOT NULL",
    ApprovalState.refused: "{0}.verdict = 'refused' AND {0}.withdrawn_at IS NULL",
    ApprovalState.expired: "{0}.expires_at <= statement_timestamp() AND {0}.used_at IS NULL"
    " AND {0}.withdrawn_at IS NULL AND {0}.verdict IS DISTINCT FROM 'refused'",
    ApprovalState.approved: "{0}.verdict = 'approved' AND {0}.expires_at > statement_timestamp()"
    " AND {0}.used_at IS NULL AND {0}.withdrawn_at IS NULL",
    ApprovalState.proposed: "{0}.verdict IS NULL AND {0}.expires_at > statement_timestamp()"
    " AND {0}.withdrawn_at IS NULL",
}
"""What holds, in SQL, of an approval in each state, and of no other."""
IN_REVIEW_STATE: Final = {
    ReviewState.done: "{0}.finding IS NOT NULL",
    ReviewState.late: "{0}.finding IS NULL AND {0}.due_at <= statement_timestamp()",
    ReviewState.owed: "{0}.finding IS NULL AND {0}.due_at > statement_timestamp()",
}


def state_in_sql(states: Mapping[Any, str], alias: str) -> str:
    """Write, in SQL, the state of a row."""
    cases = (f"WHEN {said.format(alias)} THEN '{state}'" for state, said in states.items())
    return f"CASE {' '.join(cases)} END"


class Approval(SQLModel, table=True):
    """One request that two people make: who proposed it, and what the other said.

    `path`, `body_sealed`: the request; `fingerprint`: of both, keyed. `subject_id`: what its path
    names first. `role`: as what it was proposed; who decides is the same. `agency_id`: the
    proposer's; `concerns_id`: the agency whose power it is about. `region_code`: in whose remit it
    may be decided; null: in the proposer's agency alone.
    """

    __tablename__ = "approvals"
    __table_args__: Any = (
        one_of("verdict", Verdict),
        CheckConstraint(
            "(verdict IS NULL) = (decided_at IS NULL) AND (verdict IS NULL) = (decided_by IS NULL)",
            name="decided",
        ),
        CheckConstraint("decided_by <> proposed_by", name="two_people"),
        CheckConstraint("used_at IS NULL OR verdict = 'approved'", name="used"),
        Index("ix_approvals_agency_id_proposed_at", "agency_id", "proposed_at", "id"),
        Index("ix_approvals_concerns_id_proposed_at", "concerns_id", "proposed_at", "id"),
        Index("ix_approvals_role_proposed_at", "role", "proposed_at", "id"),
        Index("ix_approvals_proposed_by", "proposed_by", "proposed_at", "id"),
        Index("ix_approvals_decided_by", "decided_by", "proposed_at", "id"),
        Index("ix_approvals_region_code", "region_code"),
        Index(
            "ix_approvals_unused",
            "role",
            "expires_at",
            postgresql_where=text("used_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    operation: str
    scope: str
    path: str
    subject_id: UUID | None = None
    fingerprint: bytes
    body_sealed: bytes | None = None
    reason_sealed: bytes
    role: str
    proposed_by: UUID = Field(foreign_key="staff.id")
    agency_id: UUID = Field(foreign_key="agencies.id")
    concerns_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    region_code: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    proposed_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    verdict: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="staff.id")
    decided_in: UUID | None = Field(default=None, foreign_key="agencies.id")
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decision_reason_sealed: bytes | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class Review(SQLModel, table=True):
    """What one did alone, at once, and another person looks at afterwards.

    `done_by`: the person; null for a system. Columns else as of an approval.
    """

    __tablename__ = "reviews"
    __table_args__: Any = (
        one_of("finding", ReviewResult),
        CheckConstraint(
            "(finding IS NULL) = (reviewed_at IS NULL)"
            " AND (finding IS NULL) = (reviewed_by IS NULL)",
            name="reviewed",
        ),
        CheckConstraint("reviewed_by <> done_by", name="two_people"),
        Index("ix_reviews_agency_id_done_at", "agency_id", "done_at", "id"),
        Index("ix_reviews_concerns_id_done_at", "concerns_id", "done_at", "id"),
        Index("ix_reviews_role_done_at", "role", "done_at", "id"),
        Index("ix_reviews_region_code", "region_code"),
        Index("ix_reviews_owed", "role", "due_at", postgresql_where=text("finding IS NULL")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    operation: str
    scope: str
    path: str
    subject_id: UUID | None = None
    reason_sealed: bytes | None = None
    role: str
    done_by: UUID | None = Field(default=None, foreign_key="staff.id")
    agency_id: UUID = Field(foreign_key="agencies.id")
    concerns_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    region_code: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    done_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    finding: str | None = None
    reviewed_by: UUID | None = Field(default=None, foreign_key="staff.id")
    reviewed_in: UUID | None = Field(default=None, foreign_key="agencies.id")
    reviewed_at: datetime | None = Field(default=None, sa_type=Instant)
    note_sealed: bytes | None = None


class SamePerson(SQLModel, table=True):
    """Entries of `staff` that are one human being: those with one `person_id`. Who is entered once
    is not in it.
    """

    __tablename__ = "same_persons"
    staff_id: UUID = Field(foreign_key="staff.id", primary_key=True)
    person_id: UUID = Field(index=True)


distribution.in_one_place(
    "few, and used by the request that they let through", "approvals", "reviews", "same_persons"
)
for _table in ("approvals", "reviews"):
    rls.protect(
        _table,
        using=rls.case(
            (rls.SYSTEM, "true"),
            # A report may turn out to speak against who asked about it (AZ-8).
            (hiding.hidden(f"{_table}.subject_id"), "false"),
            (rls.own("agency_id"), "true"),
            (rls.own("concerns_id"), "true"),
            (rls.IN_RANGE, "true"),
        ),
        privileges="SELECT, INSERT, UPDATE",
    )
    retention.for_ever(_table, "who used which power, with whom, is proof (AUD-6)")
rls.allow("same_persons", "SELECT, INSERT, UPDATE")
sealed.under_service(
    "approvals",
    {"body_sealed": BODY, "reason_sealed": REASON, "decision_reason_sealed": DECISION_REASON},
)
sealed.under_service("reviews", {"reason_sealed": ALONE_REASON, "note_sealed": NOTE})
