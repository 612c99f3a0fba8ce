"""The release before: while it may run, what is sealed now is written as it knows it, too, and it
is read until all that it wrote is sealed (ADR 64).
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, text
from sqlmodel import Field, SQLModel

from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant
from app.core.data.db import Tx

LATER: Final = timedelta(hours=1)
"""So long after the migration processes of the release before may run."""
MAY_HAVE_WRITTEN: Final = "EXISTS (SELECT FROM former_release)"
MAY_RUN: Final = "EXISTS (SELECT FROM former_release WHERE since > {})"
"""With the last instant after which it would be gone: `gone_since`."""


class FormerRelease(SQLModel, table=True):
    """One row, from the migration of a database with rows until all of them are sealed."""

    __tablename__ = "former_release"
    one: bool = Field(primary_key=True, sa_column_kwargs={"server_default": text("true")})
    since: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})


distribution.in_one_place("of the whole database", "former_release")
rls.allow("former_release", "SELECT, DELETE")
retention.for_ever("former_release", "one row at most, which goes when all is sealed")


def gone_since(tx: Tx) -> datetime:
    return tx.now - LATER


async def may_run(tx: Tx) -> bool:
    """Tell whether processes of the release before may run."""
    found: Any = await tx.connection.fetchval(f"SELECT {MAY_RUN.format('$1')}", gone_since(tx))
    return bool(found)


async def forget(tx: Tx) -> None:
    """Nothing that the release before wrote is left to be sealed."""
    await tx.connection.execute("DELETE FROM former_release WHERE since <= $1", gone_since(tx))
