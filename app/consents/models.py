"""Who was told what is collected of a child, and who consented where consent is the ground."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from app.children.below import BelowChild, below_child
from app.core.data import retention, sealed
from app.core.data.columns import Instant, one_of

GIVER: Final = "consents.giver"
WITHDRAWER: Final = "consents.withdrawer"


class Party(StrEnum):
    """Who is told, consents or asks."""

    child = "child"
    guardian = "guardian"


class Form(StrEnum):
    """In what form it was told or said. Silence is none of them."""

    in_writing = "in_writing"
    """A paper that was signed."""
    spoken = "spoken"
    """Said in words to whoever records it."""
    app = "app"
    """In an app, by an act of their own."""
    posted = "posted"
    """Sent or put up: for telling only."""


class Notice(BelowChild, table=True):
    """That somebody was told of a collection, in a version of its text."""

    __tablename__ = "notices"
    __table_args__: Any = below_child(
        "notices",
        one_of("told_to", Party),
        one_of("form", Form),
        Index("ix_notices_child_id_told_on", "child_id", "told_on", "id"),
        privileges="SELECT, INSERT",
    )

    id: UUID
    collection: str
    text_version: int
    told_to: str
    form: str
    told_on: date
    agency_id: UUID = Field(foreign_key="agencies.id")
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class Consent(BelowChild, table=True):
    """A consent, until it is withdrawn. Sealed: who gave it, and who withdrew it, by name and what
    they are to the child (JSON).
    """

    __tablename__ = "consents"
    __table_args__: Any = below_child(
        "consents",
        one_of("given_by", Party),
        one_of("form", Form),
        one_of("withdrawn_by", Party),
        one_of("withdrawn_form", Form),
        CheckConstraint("(withdrawn_on IS NULL) = (withdrawn_at IS NULL)", name="withdrawn"),
        Index("ix_consents_child_id_given_on", "child_id", "given_on", "id"),
        Index(
            "uq_consents_standing",
            "child_id",
            "collection",
            "home_county",
            unique=True,
            postgresql_where=text("withdrawn_on IS NULL"),
        ),
        privileges="SELECT, INSERT, UPDATE",
    )

    id: UUID
    collection: str
    text_version: int
    given_by: str
    giver_sealed: bytes
    form: str
    given_on: date
    agency_id: UUID = Field(foreign_key="agencies.id")
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Instant)
    withdrawn_by: str | None = None
    withdrawer_sealed: bytes | None = None
    withdrawn_form: str | None = None
    withdrawn_on: date | None = None
    withdrawal_recorded_by: str | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int


retention.for_ever("notices", "that it was told is to be shown (PIP-17)")
sealed.below_child("consents", {"giver_sealed": GIVER, "withdrawer_sealed": WITHDRAWER})
