"""Files opened in an emergency, and what the review said (AZ-7)."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Computed, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from app.children.below import BelowChild, below_child
from app.core.data import hiding, retention, rls, sealed
from app.core.data.columns import Instant, one_of

REASON: Final = "break_glass.reason"
WORDS: Final = "break_glass.words"


class Propriety(StrEnum):
    """What the review found."""

    proper = "proper"
    misuse = "misuse"
    """The account is suspended at once."""


class BreakGlass(BelowChild, hiding.HiddenRow, table=True):
    """One child's file, opened to one person until `ends_at`, or until somebody ends it before.

    `agency_id`, `role`, `asked_from`: for whom they acted, as what, and of what remit.
    `field_groups`: the sections it opens. `waits`: for its review. Sealed: the `reason`, and the
    `words` of the review.
    """

    __tablename__ = "break_glass"
    __table_args__: Any = below_child(
        "break_glass",
        one_of("verdict", Propriety),
        CheckConstraint("(verdict IS NULL) = (reviewed_at IS NULL)", name="reviewed"),
        CheckConstraint("reviewer_id IS DISTINCT FROM staff_id", name="by_another"),
        CheckConstraint("ends_at >= opened_at", name="ends"),
        Index("ix_break_glass_child_id", "child_id"),
        Index("ix_break_glass_staff_id_opened_at", "staff_id", "opened_at"),
        Index("ix_break_glass_agency_id_waits", "agency_id", "waits", "opened_at", "id"),
        Index("ix_break_glass_region_code_waits", "region_code", "waits", "opened_at", "id"),
        Index("ix_break_glass_waits", "waits", "opened_at", "id"),
        privileges="SELECT, INSERT, UPDATE",
        also=(rls.own("agency_id"), rls.IN_RANGE),
        hidden=hiding.hidden_row("break_glass", "id"),
    )

    id: UUID
    staff_id: UUID = Field(foreign_key="staff.id")
    agency_id: UUID = Field(foreign_key="agencies.id")
    role: str
    asked_from: int = Field(sa_type=BigInteger)
    reason_sealed: bytes
    field_groups: list[str] = Field(sa_type=ARRAY(Text))
    opened_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    verdict: str | None = None
    words_sealed: bytes | None = None
    reviewed_at: datetime | None = Field(default=None, sa_type=Instant)
    reviewer_id: UUID | None = Field(default=None, foreign_key="staff.id")
    waits: bool = Field(
        sa_column=Column(Boolean, Computed("verdict IS NULL", persisted=True), nullable=False)
    )
    """For its review: what nobody reviewed stands first."""
    stored_alone: bool = False
    """Its file may only be stored (PIP-47): it lay nowhere when it was opened."""
    version: int = 1


retention.for_ever("break_glass", "who opened a file in an emergency is proof (AZ-7, AUD-6)")
sealed.below_child("break_glass", {"reason_sealed": REASON, "words_sealed": WORDS})
