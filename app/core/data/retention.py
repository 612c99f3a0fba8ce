"""How long rows are kept of what only grows: declared beside the tables, deleted by the batch.

A `models.py` says of such a table that its rows go when they are old (`keep`), or that they stay
(`for_ever`). Whoever still needs old rows of another package's table says which (`unless`): a case
that is open loses nothing. For how many days is a parameter of the policy, `retention.<table>`.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from app.core.data import months, rls
from app.core.data.months import Month

BATCH: Final = 2_000
"""Rows that one transaction looks at: none holds locks, or keeps a row from VACUUM, for long."""
_CLOCKS_DIFFER: Final = timedelta(days=1)
LOOKED_AHEAD: Final = 20_000
"""How many of the oldest rows are looked at to say how many are due."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A table whose rows go. `by`: the column of when a row came to be. `along`: an indexed column
    in nearly the same order: `by` itself, or an `id` that was made at the time (D3). `taking`: a
    DELETE of what hangs on the rows in `gone`.
    """

    table: str
    by: str
    along: str
    taking: str | None

    @property
    def parameter(self) -> str:
        """The policy parameter that says for how many days a row is kept."""
        return f"retention.{self.table}"


KINDS: Final[dict[str, Kind]] = {}
FOR_EVER: Final[dict[str, str]] = {}
"""Tables that only grow and lose nothing, each with the reason."""
_UNLESS: Final[dict[str, dict[str, str]]] = defaultdict(dict)


def keep(table: str, *, by: str, along: str = "id", taking: str | None = None) -> None:
    """Let a table's rows go when they are older than its parameter says; see `Kind`."""
    KINDS[table] = Kind(table, by, along, taking)


def unless(table: str, reason: str, condition: str) -> None:
    """Keep rows of a table for which a condition holds, however old; `k` is the row in it."""
    _UNLESS[table][reason] = condition


def for_ever(table: str, because: str) -> None:
    """Say that nothing of a table that only grows is ever deleted, and why."""
    FOR_EVER[table] = because


def reasons(table: str) -> list[str]:
    """Return for what old rows of a table stay."""
    return [*_UNLESS[table]]


class Batch(NamedTuple):
    """What became of some rows. `last`: the place of the last one looked at; None: it was the last
    of the old ones. `deleted`: of the rows themselves, not of what hung on them.
    """

    last: str | None
    deleted: int


async def delete_batch(
    connection: asyncpg.Connection, kind: Kind, before: datetime, *, after: str | None = None
) -> Batch:
    """Delete what is older than `before` of the next rows after a place, or of the first, and stays
    for no reason. What a transaction holds at this moment is passed over.
    """
    row = await connection.fetchrow(
        _DELETE.format(
            looked=_looked(kind, BATCH, begun=after is not None),
            table=kind.table,
            row=_row(kind),
            along=kind.along,
            stays=_stays(kind),
            held=_held(kind),
            taking=f", hanging AS ({kind.taking})" if kind.taking else "",
        ),
        before,
        await _mixed_upto(connection, kind, before),
        *([] if after is None else [after]),
    )
    return Batch(row["last"] if row["looked"] == BATCH else None, row["deleted"])


async def figures(connection: asyncpg.Connection, kind: Kind, before: datetime) -> asyncpg.Record:
    """Return `rows`, about how many there are; `oldest`, of when the oldest is; `due`, how many of
    the LOOKED_AHEAD oldest are to go; `stay`, how many of these are as old and stay; `more`,
    whether there may be more beyond.
    """
    return await connection.fetchrow(
        _FIGURES.format(
            looked=_looked(kind, LOOKED_AHEAD),
            table=kind.table,
            row=_row(kind),
            by=kind.by,
            along=kind.along,
            stays=_stays(kind),
            limit=LOOKED_AHEAD,
        ),
        before,
        _upto(kind, before),
    )


async def month_due(connection: asyncpg.Connection, kind: Kind, before: datetime) -> Month | None:
    """Return the oldest month of a kind if all of it is older than `before`, and nothing of it has
    gone yet.
    """
    month = await months.oldest(connection, kind.table)
    due = month is not None and month.ends <= months.first_id(before - _CLOCKS_DIFFER)
    return month if due else None


async def keep_batch(
    connection: asyncpg.Connection, kind: Kind, month: Month, *, after: str | None = None
) -> Batch:
    """Copy what stays of the next rows of a month, after a place or from the first, to where it is
    kept. `deleted`: how many are not copied.
    """
    row = await connection.fetchrow(
        _KEEP.format(table=kind.table, month=month.name, stays=_stays(kind), limit=LOOKED_AHEAD),
        month.begins if after is None else UUID(after),
        month.ends,
        after is None,
    )
    return Batch(row["last"] if row["looked"] == LOOKED_AHEAD else None, row["deleted"])


# LIMIT in the text: the planner looks up what may keep these few one by one, rather than reading
# whole tables of cases. By ctid, under one snapshot: whoever was changed since is passed over.
_LOOKED: Final = """
looked AS MATERIALIZED (
    SELECT k.{row} AS at, k.{along} AS place, k.{by} < $1 AS old
    FROM {table} k WHERE k.{along} < $2{after} ORDER BY k.{along} LIMIT {limit}
)
"""
_DELETE: Final = """
WITH {looked}, due AS MATERIALIZED (
    SELECT k.{row} AS at FROM looked JOIN {table} k ON k.{row} = looked.at
    WHERE looked.old AND NOT ({stays}) {held}
), gone AS (
    DELETE FROM {table} k WHERE k.{row} = ANY (ARRAY(SELECT at FROM due)) AND k.{along} < $2
    RETURNING k.*
){taking}
SELECT count(*) AS looked,
    (SELECT l.place::text FROM looked l ORDER BY l.place DESC LIMIT 1) AS last,
    (SELECT count(*) FROM gone) AS deleted
FROM looked
"""
_KEEP: Final = """
WITH looked AS MATERIALIZED (
    SELECT k.id AS place FROM {table} k
    WHERE k.id >= $1 AND k.id < $2 AND ($3 OR k.id > $1) ORDER BY k.id LIMIT {limit}
), kept AS (
    INSERT INTO {month}_kept
    SELECT k.* FROM looked JOIN {table} k ON k.id = looked.place WHERE {stays} RETURNING 1
)
SELECT count(*) AS looked, count(*) - (SELECT count(*) FROM kept) AS deleted,
    (SELECT l.place::text FROM looked l ORDER BY l.place DESC LIMIT 1) AS last
FROM looked
"""
_FIGURES: Final = """
WITH {looked}, old AS MATERIALIZED (
    SELECT ({stays}) AS stays FROM looked JOIN {table} k ON k.{row} = looked.at WHERE looked.old
)
SELECT (SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE oid = '{table}'::regclass
            OR oid IN (SELECT relid FROM pg_partition_tree('{table}'))) AS rows,
    (SELECT {by} FROM {table} ORDER BY {along} LIMIT 1) AS oldest, count(*) = {limit} AS more,
    (SELECT count(*) FROM old WHERE NOT stays) AS due,
    (SELECT count(*) FROM old WHERE stays) AS stay
FROM looked
"""


def _looked(kind: Kind, limit: int, *, begun: bool = False) -> str:
    type_ = "uuid" if kind.along == "id" else "timestamptz"
    return _LOOKED.format(
        table=kind.table,
        row=_row(kind),
        by=kind.by,
        along=kind.along,
        limit=limit,
        after=f" AND k.{kind.along} > $3::text::{type_}" if begun else "",
    )


def _row(kind: Kind) -> str:
    """Say what names a row: where it lies says it only of one partition."""
    return "id" if kind.table in months.PARTITIONED else "ctid"


async def _mixed_upto(
    connection: asyncpg.Connection, kind: Kind, before: datetime
) -> datetime | UUID:
    """Return the place up to which rows go one by one: a month of which nothing has gone goes as
    one.
    """
    upto, month = _upto(kind, before), await months.oldest(connection, kind.table)
    return month.begins if month and isinstance(upto, UUID) and month.begins < upto else upto


def _upto(kind: Kind, before: datetime) -> datetime | UUID:
    """Return the place from which on no row is old; the clocks of who makes ids may differ."""
    if kind.along != "id":
        return before
    return months.first_id(before + _CLOCKS_DIFFER)


def _stays(kind: Kind) -> str:
    return " OR ".join(f"({each})" for each in _UNLESS[kind.table].values()) or "false"


def _held(kind: Kind) -> str:
    """Rows that nobody may change need no lock, and the privilege for one is not there."""
    changes = "UPDATE" in rls.TABLES[kind.table].privileges
    return "FOR UPDATE OF k SKIP LOCKED" if changes else ""
