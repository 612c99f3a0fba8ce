"""What expired and proves nothing any more goes, batch by batch: of a province, millions a night.

One statement that deletes all of it would come to the end of its time one night, and every night
from then on, with more each time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

BATCH: Final = 10_000
"""Rows that one transaction looks at."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A table whose rows go from when `by` is past, if they are `over`."""

    table: str
    by: str = "expires_at"
    over: str = "true"


KINDS: Final = {
    kind.table: kind
    for kind in (
        Kind("used_assertions"),
        Kind("revocations"),
        Kind("authorization_codes"),
        Kind("pushed_requests"),
        Kind("invitations", over="used_at IS NOT NULL"),  # what nobody used stays to be seen
        Kind("device_codes"),
        Kind("sign_in_places", by="seen_at", over="coalesce(known_until < $1, true)"),
        Kind("used_proofs"),
    )
}


class Batch(NamedTuple):
    """How many rows went, and up to where was looked; None: there is no more."""

    gone: int
    upto: datetime | None


# By ctid, under one snapshot: what was changed since is passed over.
_FORGET: Final = """
WITH looked AS MATERIALIZED (
    SELECT ctid AS at, {by} AS place, {over} AS over FROM {table}
    WHERE {by} < $1 AND ($2::timestamptz IS NULL OR {by} >= $2)
    ORDER BY {by} LIMIT {limit}
), gone AS (
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT at FROM looked WHERE over)) RETURNING 1
)
SELECT count(*) AS looked, max(place) AS upto, (SELECT count(*) FROM gone) AS gone FROM looked
"""


async def forget(
    connection: asyncpg.Connection, kind: Kind, before: datetime, *, after: datetime | None = None
) -> Batch:
    """Delete the next batch of what is past, from a place on."""
    statement = _FORGET.format(table=kind.table, by=kind.by, over=kind.over, limit=BATCH)
    row = await connection.fetchrow(statement, before, after)
    # None of a batch goes, and all are of one moment: there is nothing behind it that does.
    stuck = not row["gone"] and row["upto"] == after
    return Batch(row["gone"], None if row["looked"] < BATCH or stuck else row["upto"])


# From the latest on: those of long ago have had none since the night they were over. Each is looked
# up by the index of its sign-in.
_FORGET_TOKENS: Final = """
WITH looked AS MATERIALIZED (
    SELECT id, ends_at FROM sign_ins WHERE ends_at <= $1 ORDER BY ends_at DESC LIMIT {sign_ins}
), due AS MATERIALIZED (
    SELECT r.ctid AS at FROM looked JOIN refresh_tokens r ON r.sign_in_id = looked.id LIMIT {limit}
), gone AS (
    DELETE FROM refresh_tokens WHERE ctid = ANY (ARRAY(SELECT at FROM due)) RETURNING 1
)
SELECT count(*) AS looked, min(ends_at) AS upto, (SELECT count(*) FROM gone) AS gone FROM looked
"""
SIGN_INS: Final = 2_000


async def forget_tokens(
    connection: asyncpg.Connection, before: datetime, *, again: bool = False
) -> Batch:
    """Delete refresh tokens of the latest sign-ins that were over by then; `again`: of the same as
    the last time. It is the end when so many one after another have none.
    """
    statement = _FORGET_TOKENS.format(sign_ins=SIGN_INS, limit=BATCH)
    row = await connection.fetchrow(statement, before)
    gone: int = row["gone"]
    if gone == BATCH:
        return Batch(gone, before)
    onward = (gone or again) and row["looked"] == SIGN_INS and row["upto"] < before
    return Batch(gone, row["upto"] if onward else None)
