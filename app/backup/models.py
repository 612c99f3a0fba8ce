"""When a backup was made last: who has none must be told so, and the folder is out of sight."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from app.core.data import backups, distribution, retention, rls
from app.core.data.columns import Instant


class BackupMade(SQLModel, table=True):
    """The newest of a kind that is whole: `base`, or `archive`. `taken_at`: when it began."""

    __tablename__ = "backups_made"
    __table_args__: Any = (CheckConstraint("kind IN ('base', 'archive')", name="kind"),)

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    taken_at: datetime = Field(sa_type=Instant)
    bytes: int = Field(sa_column=Column(BigInteger, nullable=False))


rls.allow("backups_made", "SELECT")
# All else it only reads; this it says in a transaction that may write.
rls.let("backups_made", rls.BACKUP_ROLE, "SELECT, INSERT, UPDATE")
distribution.in_one_place("two rows, about all of it", "backups_made")
retention.for_ever("backups_made", "one row of each kind, which the next of its kind replaces")
backups.once_restored(
    "backups: none is of this server yet, and it says so until one is", "DELETE FROM backups_made"
)
