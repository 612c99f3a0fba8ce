"""The queue of what arrived and cannot be placed yet: questions, and the evidence that waits.

A question is asked once: "whose number is this?", "who is this child?", "are these two one?". What
was sent about it waits beside it, sealed as it came, and is stored where it belongs as soon as the
question is answered.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.core.data import distribution, hiding, retention, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.data.envelopes import Whose

CLAIM: Final = "unresolved.claim_sealed"
WORDS: Final = "unresolved.words_sealed"
ANSWER: Final = "unresolved.answer_sealed"
DISMISSAL: Final = "unresolved.dismissal_sealed"
THEIR_ANSWER: Final = "unresolved.their_answer_sealed"
TAKEN_BACK: Final = "unresolved.taken_back_sealed"
SENT: Final = "unresolved_evidence.sent_sealed"
CORRECTED: Final = "unresolved_evidence.corrected_sealed"


class UnresolvedKind(StrEnum):
    """What cannot be placed."""

    visit = "visit"
    """A visit to a child whose file nobody here knows."""
    attendance = "attendance"
    """Events of a pupil whom the school has under no such number."""
    referral = "referral"
    """A number, an id or a name that is on another file already."""
    two_entries = "two_entries"
    """Two visits that are possibly one."""
    report = "report"
    """A report to the police about a child without a file."""
    handover = "handover"
    """A file that two offices found to be the child of another place, to be handed over there."""


class UnresolvedReason(StrEnum):
    """Why it cannot be placed."""

    child_unknown = "child_unknown"
    pupil_unknown = "pupil_unknown"
    resident_id = "resident_id"
    id = "id"
    name_and_birth_date = "name_and_birth_date"
    two_entries = "two_entries"
    several_children = "several_children"
    same_child = "same_child"


class UnresolvedState(StrEnum):
    """Where a question stands."""

    open = "open"
    attached = "attached"
    """Somebody, or a file that appeared, told whom it is about."""
    corrected = "corrected"
    """What was sent named the wrong child; put right, it was stored."""
    dismissed = "dismissed"
    """It belongs nowhere; `words` say why. What was sent is kept."""
    answered = "answered"
    """The offices concerned have answered."""
    taken_back = "taken_back"
    """It was placed with the wrong child, and is asked about anew; or nobody is asked any more,
    since what it was about is gone or another office answers."""


class UnresolvedAnswer(StrEnum):
    """What an office says of two files, or of two visits."""

    same_child = "same_child"
    another_child = "another_child"
    number_wrong = "number_wrong"
    one_visit = "one_visit"
    two_visits = "two_visits"


class FileOpened(StrEnum):
    """How a file was opened that was referred until the offices concerned had answered."""

    as_sent = "as_sent"
    number_set_aside = "number_set_aside"
    """Without its resident number, which is wrong or on another child's file; it is kept with what
    was sent."""


class Unresolved(SQLModel, table=True):
    """One question. It has no child of its own: that is what is asked.

    `region_code`: the place whose `owner_role` owes the answer. `agency_id`: who sent what waits,
    null for what was found here; `sender` is how the caller was known then (`queries.Sender`), for
    the place `sent_from`.
    `claim`: whom it was said to be about, as it is looked up: the bytes of an id, or the blind
    index of a number; `first_claim` is what was said before somebody corrected it, and is looked up
    as well. `child_id`: whose file it concerns or was attached to, `other_child_id` the other of
    two, or the file from which this was taken back. `twin_id`: the question the other office sees;
    `their_…` is what it answered. `answered_by` and `their_answered_by`: the people who did.
    `file_opened`: how the file that was referred was opened then; `child_id` is that file.
    `about_id`: the report to the police whose child is asked for.
    `abnormal`: something that was sent for it holds an abnormal finding; what came before this was
    asked counts as such. `dismissal_…`: who proposed to dismiss it, until a second person does.
    `taken_back_…`: who said that it had been placed with the wrong child.
    """

    __tablename__ = "unresolved"
    __table_args__: Any = (
        one_of("kind", UnresolvedKind),
        one_of("reason", UnresolvedReason),
        one_of("state", UnresolvedState),
        one_of("answer", UnresolvedAnswer),
        one_of("file_opened", FileOpened),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        Index(
            "uq_unresolved_asked_once",
            "agency_id",
            "kind",
            "claim",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "uq_unresolved_asked_about",
            "about_id",
            unique=True,
            postgresql_where=text("state = 'open' AND about_id IS NOT NULL"),
        ),
        Index(
            "uq_unresolved_handed_over_once",
            "child_id",
            unique=True,
            postgresql_where=text("state = 'open' AND kind = 'handover'"),
        ),
        Index("ix_unresolved_about", "about_id", postgresql_where=text("about_id IS NOT NULL")),
        Index("ix_unresolved_claim", "claim"),
        Index(
            "ix_unresolved_first_claim",
            "first_claim",
            postgresql_where=text("first_claim IS NOT NULL AND state = 'open'"),
        ),
        Index("ix_unresolved_region_code_due_at", "region_code", "due_at", "id"),
        Index("ix_unresolved_agency_id_due_at", "agency_id", "due_at", "id"),
        Index("ix_unresolved_due_at_id", "due_at", "id"),
        Index("ix_unresolved_kind_due_at_id", "kind", "due_at", "id"),
        Index(
            "ix_unresolved_abnormal",
            "region_code",
            "due_at",
            "id",
            postgresql_where=text("abnormal AND state = 'open'"),
        ),
        Index(
            "ix_unresolved_answered",
            "id",
            postgresql_where=text("state = 'open' AND kind = 'referral' AND answer IS NOT NULL"),
        ),
        Index("ix_unresolved_state_due_at_id", "state", "due_at", "id"),
        Index(
            "ix_unresolved_sent_from",
            "sent_from",
            postgresql_where=text("sent_from IS NOT NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    reason: str
    region_code: int = Field(sa_type=BigInteger)
    owner_role: str
    agency_id: UUID | None = Field(foreign_key="agencies.id")
    sender: dict[str, Any] | None = Field(sa_column=Column(JSONB(none_as_null=True)))
    sent_from: int | None = Field(sa_type=BigInteger)
    claim: bytes | None
    claim_sealed: bytes | None
    first_claim: bytes | None = None
    first_claim_sealed: bytes | None = None
    child_id: UUID | None
    other_child_id: UUID | None
    about_id: UUID | None = None
    twin_id: UUID | None
    state: str
    abnormal: bool = Field(sa_column_kwargs={"server_default": text("true")})
    due_at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)
    version: int
    settled_at: datetime | None = Field(sa_type=Instant)
    settled_by: str | None
    words_sealed: bytes | None
    dismissal_by: str | None
    dismissal_sealed: bytes | None
    dismissal_at: datetime | None = Field(sa_type=Instant)
    taken_back_by: str | None = None
    taken_back_sealed: bytes | None = None
    taken_back_at: datetime | None = Field(default=None, sa_type=Instant)
    answer: str | None
    answer_sealed: bytes | None
    answered_at: datetime | None = Field(sa_type=Instant)
    answered_by: str | None
    their_answer: str | None
    their_answer_sealed: bytes | None
    their_answered_at: datetime | None = Field(sa_type=Instant)
    their_answered_by: str | None
    file_opened: str | None = None


class UnresolvedEvidence(SQLModel, table=True):
    """One thing that was sent and waits, as it was sent. (`agency_id`, `kind`, `sender_ref`) names
    it for good, so that a repetition is recognised whatever became of it.

    `region_code` is the question's, repeated for the policy. `batch_id`: the batch that brought it.
    `waiting` until it is stored where it belongs, or dismissed. `corrected_sealed`: what it was
    corrected to, one after the other, before it was taken back from the wrong child.
    """

    __tablename__ = "unresolved_evidence"
    __table_args__: Any = (
        ForeignKeyConstraint(["unresolved_id"], ["unresolved.id"]),
        Index("uq_unresolved_evidence_sent", "agency_id", "kind", "sender_ref", unique=True),
        Index("ix_unresolved_evidence_unresolved_id", "unresolved_id", "received_at", "id"),
        Index(
            "ix_unresolved_evidence_waiting",
            "agency_id",
            "kind",
            postgresql_where=text("waiting"),
        ),
        Index("ix_unresolved_evidence_region_code", "region_code"),
    )

    id: UUID = Field(primary_key=True)
    unresolved_id: UUID
    agency_id: UUID
    region_code: int = Field(sa_type=BigInteger)
    kind: str
    sender_ref: str
    content_mac: bytes
    sent_sealed: bytes
    corrected_sealed: bytes | None = None
    happened_on: date
    batch_id: UUID | None
    waiting: bool
    received_at: datetime = Field(sa_type=Instant)


distribution.in_one_place(
    "it waits for a child, and is asked in one county or two", "unresolved", "unresolved_evidence"
)
_OF_REPORT: Final = f"about_id IS NOT NULL AND {hiding.hidden('unresolved.about_id')}"
for _table, _hidden in (("unresolved", ((_OF_REPORT, "false"),)), ("unresolved_evidence", ())):
    rls.protect(
        _table,
        using=rls.case(
            (rls.SYSTEM, "true"),
            (rls.own("agency_id"), "true"),
            *_hidden,
            (rls.IN_RANGE, f"{rls.SCHOOL} IS NULL"),
        ),
        privileges="SELECT, INSERT, UPDATE",
    )
retention.unless(
    "events",
    "the question it is about is open",
    "EXISTS (SELECT FROM unresolved u WHERE u.id = k.subject_id AND u.state = 'open')",
)
_WHOSE: Final = "(SELECT u.child_id FROM unresolved u WHERE u.id = t.unresolved_id)"
sealed.below_child(
    "unresolved",
    {
        "claim_sealed": CLAIM,
        "first_claim_sealed": CLAIM,
        "words_sealed": WORDS,
        "dismissal_sealed": DISMISSAL,
        "taken_back_sealed": TAKEN_BACK,
        "answer_sealed": ANSWER,
        "their_answer_sealed": THEIR_ANSWER,
    },
)
sealed.under(
    Whose.child,
    "unresolved_evidence",
    {"sent_sealed": SENT, "corrected_sealed": CORRECTED},
    owner=_WHOSE,
    belongs="t.unresolved_id IN (SELECT u.id FROM unresolved u WHERE u.child_id = {})",
)
