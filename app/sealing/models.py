"""The log that proves the audit: a leaf for each entry, the inner nodes, and what was signed; and
the witnesses, who hold what was signed where we cannot change it.

To the log only the role of the sealer adds, as which the app cannot act; nobody changes or deletes
(ADR 65).
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant


def _number(*, key: bool = False) -> Column[int]:
    return Column(BigInteger, primary_key=key, autoincrement=False, nullable=False)


class AuditLeaf(SQLModel, table=True):
    """One entry's place in the log, counted from 0 without a gap. `hash`: of its leaf."""

    __tablename__ = "audit_leaves"
    __table_args__: Any = (Index("uq_audit_leaves_entry_id", "entry_id", unique=True),)

    n: int = Field(sa_column=_number(key=True))
    entry_id: UUID
    hash: bytes


class AuditNode(SQLModel, table=True):
    """The hash of a whole subtree of 256^`level` leaves, the `i`-th of its kind: enough to answer
    any proof by reading a few hundred hashes.
    """

    __tablename__ = "audit_nodes"

    level: int = Field(sa_column=_number(key=True))
    i: int = Field(sa_column=_number(key=True))
    hash: bytes


class AuditCheckpoint(SQLModel, table=True):
    """What the log was at a size, signed (C2SP tlog-checkpoint). `log_key`: the verifier key that
    it is signed by. `next_xid`, `pending`, `cluster`: which transactions were sealed by then, as
    numbered by that server: all before `next_xid` but those that were still under way. `place`:
    that server, and which of its histories; null: by the release before.
    """

    __tablename__ = "audit_checkpoints"
    __table_args__: Any = (
        Index("uq_audit_checkpoints_id", "id", unique=True),
        Index("ix_audit_checkpoints_made_at", "made_at"),
    )

    id: UUID
    size: int = Field(sa_column=_number(key=True))
    root: bytes
    note: str
    log_key: str
    made_at: datetime = Field(sa_type=Instant)
    next_xid: int = Field(sa_column=_number())
    pending: list[int] = Field(
        sa_column=Column(ARRAY(BigInteger), nullable=False, server_default="{}")
    )
    cluster: str
    place: str | None = None


class AuditLog(SQLModel, table=True):
    """That two people began another log, by another key, over the same entries; and the last
    checkpoint of the log before it that anybody holds. The first log of all has no row.
    """

    __tablename__ = "audit_logs"
    __table_args__: Any = (Index("uq_audit_logs_key", "key", unique=True),)

    id: UUID = Field(primary_key=True)
    key: str
    old_key: str
    old_size: int = Field(sa_column=_number())
    old_root: bytes
    old_note: str
    started_by: str
    started_at: datetime = Field(sa_type=Instant)


class AuditWitness(SQLModel, table=True):
    """An agency that countersigns checkpoints, by the key it is registered with. `name`: as the key
    names it. `announced`: the size of the last checkpoint that it was told of, while the database
    stood where `announced_in` says.
    """

    __tablename__ = "audit_witnesses"
    __table_args__: Any = (
        Index(
            "uq_audit_witnesses_agency_id",
            "agency_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agencies.id")
    name: str
    key: str
    registered_by: str
    registered_at: datetime = Field(sa_type=Instant)
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    announced: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    announced_in: str | None = None


class AuditCosignature(SQLModel, table=True):
    """That a witness holds a checkpoint. `line`: of the signature, as the note has it; `said_at`:
    when, as it says itself.
    """

    __tablename__ = "audit_cosignatures"
    __table_args__: Any = (Index("ix_audit_cosignatures_size", "size"),)

    witness_id: UUID = Field(primary_key=True, foreign_key="audit_witnesses.id")
    size: int = Field(sa_column=_number(key=True))
    line: str
    said_at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)


class AuditPresented(SQLModel, table=True):
    """A checkpoint that a witness says it holds. `place`: where the database stood then; `kept`:
    whether it was in the log.
    """

    __tablename__ = "audit_presented"

    witness_id: UUID = Field(primary_key=True, foreign_key="audit_witnesses.id")
    place: str = Field(primary_key=True)
    size: int = Field(sa_column=_number(key=True))
    root: bytes = Field(primary_key=True)
    log_key: str
    note: str
    kept: bool
    presented_at: datetime = Field(sa_type=Instant)


_GROWS: Final = ("audit_leaves", "audit_nodes", "audit_checkpoints")
distribution.in_one_place("one order of all entries, given by one process at a time", *_GROWS)
for _table in _GROWS:
    rls.allow(_table, "SELECT")
    rls.let_sealer(_table, "SELECT, INSERT")
    retention.for_ever(_table, "what was sealed is proved by all that was sealed before (ADR 65)")
rls.let_sealer("audit_entries", "SELECT")
for _table in ("audit_witnesses", "audit_presented", "audit_logs"):
    rls.let_sealer(_table, "SELECT")
distribution.in_one_place(
    "few, beside what they sign",
    *("audit_witnesses", "audit_cosignatures", "audit_presented", "audit_logs"),
)
rls.allow("audit_witnesses", "SELECT, INSERT, UPDATE")
rls.allow("audit_cosignatures", "SELECT, INSERT")
for _table in ("audit_presented", "audit_logs"):
    rls.allow(_table, "SELECT, INSERT")
for _table in ("audit_cosignatures", "audit_presented", "audit_logs"):
    retention.for_ever(_table, "who held what when is the proof (ADR 66)")
