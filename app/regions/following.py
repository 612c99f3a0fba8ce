"""How what is filed under a division goes along when the division gets another code.

Higher packages register here what they keep (`follows`); `operations.replace_region` calls all of
them in its own transaction. So a place changes its code at one instant, with its offices, people
and files: at no time does an office stand at the new code while its rows lie at the old one.

Rows move in sets of `BATCH`, by an index that begins with their code: no statement grows with the
place. What is only told and decides nothing (where a visit was made) is no follower: jobs `walk`
over it afterwards, a transaction a set.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import queue
from app.regions.events import RegionReplaced

BATCH: Final = 2_000
"""Rows a statement moves or looks at: some of them carry a dozen indexes."""

LATER: Final = timedelta(minutes=2)
"""Longer than any transaction that began before the change and wrote the old code may last."""

Follower = Callable[[Tx, RegionReplaced], Awaitable[None]]
_FOLLOWERS: Final[dict[str, Follower]] = {}


def follows(follower: Follower) -> Follower:
    """Let the decorated function take along what its package files under divisions. It may be
    called twice: what lies in the old range moves, nothing else.
    """
    return _FOLLOWERS.setdefault(follower.__module__, follower)


async def take_along(tx: Tx, replaced: RegionReplaced) -> None:
    """Move everything filed under a replaced division, in the caller's transaction. In the order of
    the packages' names, so that two changes at once wait for each other and never in a circle.
    """
    for _, follower in sorted(_FOLLOWERS.items()):
        await follower(tx, replaced)


# Says how far it looked, not what it moved: of a whole set others may have moved every row.
_SHIFT: Final = """
WITH old AS (
    SELECT {keys}, {column} AS was FROM {table}
    WHERE {column} >= $1 AND {column} < $2 AND {which} ORDER BY {column} LIMIT $4),
moved AS (
    UPDATE {table} AS t SET {changes} FROM old
    WHERE {same} AND (t.{column} >= $1 AND t.{column} < $2) IS TRUE)
SELECT count(*) AS looked, max(was) AS reached FROM old
"""


async def shift(
    tx: Tx,
    replaced: RegionReplaced,
    table: str,
    *columns: str,
    keys: tuple[str, ...] = ("id",),
    also: str = "",
    values: Sequence[Any] = (),
    which: str = "true",
) -> None:
    """Move the rows of a table whose first column lies in the old range, all `columns` with it.

    `keys`: the primary key. `also`: further assignments, of `values` from $5 on. `which`: those
    rows alone. An index must begin with the first column, of these rows, or the table be small.
    """
    changes = ", ".join(f"{column} = t.{column} + $3" for column in columns)
    statement = _SHIFT.format(
        table=table,
        column=columns[0],
        keys=", ".join(keys),
        changes=changes + also,
        same=" AND ".join(f"t.{key} = old.{key}" for key in keys),
        which=which,
    )
    lo = replaced.old_lo
    while True:
        set_ = await tx.connection.fetchrow(
            statement, lo, replaced.old_hi, replaced.shift, BATCH, *values
        )
        if set_["looked"] < BATCH:
            return
        # From the last code on: this transaction's own dead entries before it are not read again.
        lo = set_["reached"]


async def look_twice(tx: Tx, job: str, payload: dict[str, Any]) -> None:
    """Queue a walk for now, and again for those that were being written meanwhile."""
    await queue.enqueue(tx.connection, job, [payload])
    await queue.enqueue(tx.connection, job, [payload], delay=LATER)


def start(*arguments: Any) -> dict[str, Any]:
    """Return the payload of the first job of a walk; see `walk`."""
    return {"arguments": arguments, "after": [str(UUID(int=0)), 0]}


async def walk(
    tx: Tx, job: str, payload: dict[str, Any], *, table: str, changes: str, which: str
) -> None:
    """Change, of the next set of rows of a table by (id, home_county), those that fit, and queue
    the job again for the set after it. `changes` and `which` are SQL about `t`; the payload's
    arguments are $4 and on in both.
    """
    row_id, home_county = payload["after"]
    reached = await tx.connection.fetchrow(
        f"""
        WITH next AS MATERIALIZED (
            SELECT t.id, t.home_county, {which} AS fits FROM {table} t
            WHERE (t.id, t.home_county) > ($1, $2) ORDER BY t.id, t.home_county LIMIT $3
        ), changed AS (
            UPDATE {table} AS t SET {changes} FROM next
            WHERE next.fits AND t.home_county = next.home_county AND t.id = next.id AND {which}
        )
        SELECT id, home_county FROM next ORDER BY id DESC, home_county DESC LIMIT 1
        """,
        UUID(row_id),
        home_county,
        BATCH,
        *payload["arguments"],
    )
    if reached is not None:
        after = [str(reached["id"]), reached["home_county"]]
        await queue.enqueue(tx.connection, job, [{**payload, "after": after}])
