"""Who was asked to help a child, and what they answered."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import CheckConstraint, Column, Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from app.attendance.models import CONTRADICTED
from app.children.below import BelowChild, below_child
from app.core.data import hiding, resealing, retention, rls, sealed
from app.core.data.columns import Instant, code_list, one_of
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, Owner, of_child
from app.webhooks.models import keep_while

NOTE: Final = "referrals.note"
ANSWER: Final = "referrals.answer"
REASON: Final = "referrals.reason"
SAID: Final = "referrals.said"
CODES: Final = {"needs": "needs_sealed", "found": "found_sealed"}
"""Codes of the case, which a release before kept in the clear, and where they are sealed."""


class ReferralNeed(StrEnum):
    """What a child is referred for. What a visit finds wrong, the parts of a life that it looks at
    and the services of an assessment keep their codes.
    """

    living_alone = "living_alone"
    missing = "missing"
    guardian_failure = "guardian_failure"
    abandoned = "abandoned"
    domestic_violence = "domestic_violence"
    accident_or_harm = "accident_or_harm"
    dropout = "dropout"
    ill = "ill"
    disabled = "disabled"
    no_hukou = "no_hukou"
    poverty = "poverty"
    distress = "distress"
    misconduct = "misconduct"
    unsafe_home = "unsafe_home"
    life = "life"
    study = "study"
    psychology = "psychology"
    guardianship = "guardianship"
    health = "health"
    safety = "safety"
    household = "household"
    guardianship_guidance = "guardianship_guidance"
    medical_treatment = "medical_treatment"
    counselling = "counselling"
    behaviour_correction = "behaviour_correction"
    legal_service = "legal_service"
    legal_aid = "legal_aid"
    social_assistance = "social_assistance"
    other = "other"


class ReferralSource(StrEnum):
    """What it came of."""

    by_hand = "by_hand"
    visit = "visit"
    """A finding whose `refer_to` names the kind of agency (VIS-03, VIS-08)."""
    service = "service"
    """A service arranged after a report to the police (REP-16, REP-17)."""


class ReferralState(StrEnum):
    """Where it stands."""

    open = "open"
    accepted = "accepted"
    """Whom it was referred to takes it on, and still owes what came of it."""
    answered = "answered"
    cancelled = "cancelled"


class ReferralOutcome(StrEnum):
    """What whom it was referred to says. All but the first end it."""

    accepted = "accepted"
    done = "done"
    refused = "refused"
    not_reached = "not_reached"
    """Neither the child nor who looks after it was reached."""
    cannot_help = "cannot_help"


class Found(StrEnum):
    """What they found of the child that must be reported to the police (REP-01)."""

    living_alone = "living_alone"
    missing = "missing"
    guardian_failure = "guardian_failure"
    abandoned = "abandoned"
    domestic_violence = "domestic_violence"
    accident_or_harm = "accident_or_harm"


_OURS: Final = f"{rls.AGENCY} IN (from_id, to_id)"


class Referral(BelowChild, hiding.HiddenRow, table=True):
    """One child, referred by one agency to another.

    `to_kind`: the kind of agency that was asked for; `to_id` owes the answer: of another kind if
    none of this one serves the place (`waits`). `source_id`: the visit or report it came of.
    `told_to`: the only agencies that are told of it, where it came of a report to the police; what
    is hidden of that is hidden of this (AZ-8). Sealed: the `note`, the words of the answer, why it
    was cancelled, and all that was `said`, each answer as it came, oldest first (JSON).
    """

    __tablename__ = "referrals"
    __table_args__: Any = below_child(
        "referrals",
        one_of("source", ReferralSource),
        one_of("state", ReferralState),
        one_of("answer", ReferralOutcome),
        CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="answered"),
        CheckConstraint("(source = 'by_hand') = (source_id IS NULL)", name="came_of"),
        Index("ix_referrals_child_id_opened_at", "child_id", "opened_at", "id"),
        Index("ix_referrals_region_code_opened_at", "region_code", "opened_at", "id"),
        Index("ix_referrals_to_id_opened_at", "to_id", "opened_at", "id"),
        Index(
            "ix_referrals_unanswered",
            "to_id",
            postgresql_where=text("state IN ('open', 'accepted')"),
        ),
        Index("ix_referrals_from_id_opened_at", "from_id", "opened_at", "id"),
        Index("ix_referrals_source_id", "source_id"),
        # For who sees many of them.
        Index("ix_referrals_opened_at_id", "opened_at", "id"),
        Index("ix_referrals_state_opened_at_id", "state", "opened_at", "id"),
        privileges="SELECT, INSERT, UPDATE",
        # A school sees what it referred itself, or what was referred to it, not all of its pupils.
        hidden=f"{hiding.hidden_row('referrals', 'id')}"
        f" OR ({rls.SCHOOL} IS NOT NULL AND NOT ({_OURS}))",
        also=(rls.own("from_id"), rls.own("to_id")),
    )

    id: UUID
    from_id: UUID = Field(foreign_key="agencies.id")
    to_kind: str
    to_id: UUID = Field(foreign_key="agencies.id")
    waits: bool
    needs: list[str] = Field(sa_column=code_list())
    needs_sealed: bytes | None = None
    source: str
    source_id: UUID | None
    told_to: list[UUID] | None = Field(sa_column=Column(ARRAY(Uuid), nullable=True))
    note_sealed: bytes | None = None
    opened_at: datetime = Field(sa_type=Instant)
    opened_by: str
    due_at: datetime = Field(sa_type=Instant)
    state: str
    answer: str | None = None
    answer_sealed: bytes | None = None
    found: list[str] = Field(sa_column=code_list())
    found_sealed: bytes | None = None
    said_sealed: bytes | None = None
    done_on: date | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    answered_by: str | None = None
    reason_sealed: bytes | None = None
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    cancelled_by: str | None = None
    version: int


def said(keyring: Keyring, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all answers of a row, as they came."""
    sealed = row["said_sealed"]
    try:
        return [] if sealed is None else list(orjson.loads(keyring.unseal(SAID, row["id"], sealed)))
    except Erased:
        return []


def codes(keyring: Keyring, row: Mapping[str, Any], name: str) -> list[str]:
    """Return what a row, whose key is open, says in codes: `needs` or `found`."""
    sealed = row[CODES[name]]
    try:
        said = keyring.unseal_bytes(_place(name), row["id"], sealed) if sealed else None
    except Erased:
        return []
    return [*row[name]] if said is None else list(orjson.loads(said))


def sealed_codes(
    keyring: Keyring, row_id: UUID, name: str, said: Collection[str], of: Owner
) -> bytes | None:
    """Seal what a row says in codes, sorted; None: nothing."""
    raw = orjson.dumps(sorted(said))
    return keyring.seal(_place(name), row_id, raw, of) if said else None


def _place(name: str) -> str:
    return f"referrals.{CODES[name]}"


def _owner_of(_: Keyring, row: Mapping[str, Any]) -> Owner:
    return of_child(row["child_id"])


def _anew(tx: Tx, row: Mapping[str, Any]) -> Mapping[str, Any]:
    of, plain = of_child(row["child_id"]), [name for name in CODES if row[name]]
    return {
        **{name: [] for name in plain},
        **{CODES[name]: sealed_codes(tx.keyring, row["id"], name, row[name], of) for name in plain},
    }


resealing.IN_PLAIN.append(resealing.InPlain("referrals", "needs_sealed", _owner_of, _anew))
resealing.IN_PLAIN.append(resealing.InPlain("referrals", "found_sealed", _owner_of, _anew))


retention.unless(
    "events",
    "a referral it is about, or of a child it names, is open",
    " OR ".join(
        f"EXISTS (SELECT FROM referrals r WHERE r.state IN ('open', 'accepted') AND {about})"
        for about in (
            "r.id = k.subject_id",
            "r.child_id IN (k.subject_id, (k.data ->> 'child_id')::uuid)",
        )
    ),
)
retention.unless(
    "attendance_contradictions",
    "a referral of the child is open",
    "EXISTS (SELECT FROM referrals r WHERE r.state IN ('open', 'accepted')"
    f" AND r.child_id = ANY (ARRAY({CONTRADICTED})))",
)
keep_while(
    "the referral it tells of is open",
    "EXISTS (SELECT FROM referrals r WHERE r.state IN ('open', 'accepted') AND r.id = {})",
)
sealed.below_child(
    "referrals",
    {
        "note_sealed": NOTE,
        "answer_sealed": ANSWER,
        "said_sealed": SAID,
        "reason_sealed": REASON,
        **sealed.named("referrals", *CODES.values()),
    },
)
