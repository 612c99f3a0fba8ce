"""Who confirmed that a file says how it is."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, String
from sqlmodel import Field

from app.children.below import PLACE, Correctable, below_child
from app.core.data import retention, sealed
from app.core.data.columns import Instant, code_list


class Confirmation(Correctable, table=True):
    """One confirmation (REG-03). `author` is null for a machine; `received_in` is where the child
    lived when it was received; `stated_on` the day that was sent, if it lies ahead; `changed` the
    sections that were brought up to date before, `differs` those that were yet to be; `entered_at`
    when all of these were; `instead_of` the one of its agency whose place it takes; `on_paper`
    whether the file that its author keeps on paper says the same, null if that was not said;
    `as_sent_sealed` what could not be read (JSON).
    """

    __tablename__ = "confirmations"
    __table_args__: Any = below_child(
        "confirmations",
        Index("ix_confirmations_child_id_confirmed_on", "child_id", "confirmed_on", "id"),
        Index("ix_confirmations_region_code_confirmed_on", "region_code", "confirmed_on", "id"),
        Index("ix_confirmations_pupil_of_confirmed_on", "pupil_of", "confirmed_on", "id"),
        # For who sees many of them.
        Index("ix_confirmations_confirmed_on_id", "confirmed_on", "id"),
        privileges=f"SELECT, INSERT, UPDATE ({PLACE}, entered_at)",
    )

    received_in: int = Field(sa_type=BigInteger)
    confirmed_on: date
    stated_on: date | None = None
    changed: list[str] = Field(sa_type=ARRAY(String))
    differs: list[str] = Field(sa_column=code_list(), default_factory=list)
    entered_at: datetime | None = Field(default=None, sa_type=Instant)
    instead_of: UUID | None = None
    on_paper: bool | None = None
    as_sent_sealed: bytes | None = None
    author: UUID | None


retention.for_ever("confirmations", "that a file was confirmed in its quarter (REG-03, REG-05)")
sealed.below_child("confirmations", sealed.named("confirmations", "as_sent_sealed"))
