"""The release before: for an hour after the migration its processes may run. What it cannot read
waits for that; what it wrote in the clear is sealed afterwards, and each part of it says by itself
when nothing is left (ADR 70).
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Field, SQLModel

from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant, one_of
from app.core.data.db import Tx

LATER: Final = timedelta(hours=1)
"""So long after the migration processes of the release before may run."""
FOR_THE_LATE: Final = timedelta(days=1)
"""So long after the migration what one of them wrote all the same is looked for."""
NAMES, FINDINGS, SITUATIONS = PARTS = ("names", "findings", "situations")
MAY_HAVE_NAMED: Final = f"EXISTS (SELECT FROM former_release WHERE part = '{NAMES}')"
MAY_RUN: Final = "EXISTS (SELECT FROM former_release WHERE since > {})"
"""With the last instant after which it would be gone: `gone_since`."""


class FormerRelease(SQLModel, table=True):
    """A part of what the release before wrote in the clear, from the migration of a database with
    rows until all of the part is sealed.
    """

    __tablename__ = "former_release"
    __table_args__ = (one_of("part", PARTS),)
    part: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})


distribution.in_one_place("of the whole database", "former_release")
rls.allow("former_release", "SELECT, DELETE")
retention.for_ever("former_release", "a row a part at most, which goes when that is sealed")


def gone_since(tx: Tx) -> datetime:
    return tx.now - LATER


async def may_run(tx: Tx) -> bool:
    """Tell whether processes of the release before may run; asked once in a transaction."""
    if tx.former is None:
        asked = f"SELECT {MAY_RUN.format('$1')}"
        tx.former = bool(await tx.connection.fetchval(asked, gone_since(tx)))
    return tx.former


async def left(tx: Tx, part: str) -> bool:
    """Tell whether the release before is gone, and something of a part may be left to be sealed."""
    found: Any = await tx.connection.fetchval(_LEFT, part, gone_since(tx))
    return bool(found)


async def done(tx: Tx, part: str) -> None:
    """Note that nothing of a part is left: a day after the migration nobody looks any more."""
    await tx.connection.execute(_DONE, part, tx.now - FOR_THE_LATE)


_DONE: Final = "DELETE FROM former_release WHERE part = $1 AND since <= $2"
_LEFT: Final = """
SELECT EXISTS (SELECT FROM former_release WHERE part = $1) AND NOT EXISTS (
    SELECT FROM former_release WHERE since > $2)
"""
