"""Forget what has expired and proves nothing any more; keep systems in their place."""

from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access import forgetting
from app.access.approvals import late, operations
from app.access.events import KeysEnding
from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions import rules as regions
from app.regions.events import RegionReplaced

_KEPT: Final = timedelta(days=1)
"""Longer than any of it counts, so that a clock a little off forgets nothing too early."""
_APART: Final = timedelta(minutes=5)
"""So much more than any two clocks of ours differ."""
_PROOFS: Final = "used_proofs"
_BATCH: Final = "access.forget_batch"
_TOKENS: Final = "access.forget_tokens"
_MORE_PROOFS: Final = "access.forget_more_proofs"


@queue.every("access.forget_expired", "17 3 * * *")
async def forget_expired(tx: Tx, payload: dict[str, Any]) -> None:
    """Begin to delete spent proofs, revocations, codes, used invitations, guesses, and the refresh
    tokens of sign-ins that are over. What nobody used stays to be seen.
    """
    before = tx.now - _KEPT
    for table in forgetting.KINDS:
        if table != _PROOFS:
            await _forget(tx, table, before)
    await _forget_tokens(tx, before)


@queue.every("access.forget_proofs", "*/10 * * * *")
async def forget_proofs(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete proofs whose nonces count no more: there is one of every change that is made."""
    await _forget(tx, _PROOFS, tx.now - _APART)


@queue.job(_BATCH, of="access.forget_expired")
async def forget_batch(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete the next of what was begun with, and queue what follows in the same transaction."""
    before, after = (datetime.fromisoformat(payload[each]) for each in ("before", "after"))
    await _forget(tx, payload["table"], before, after=after)


queue.job(_MORE_PROOFS, of="access.forget_proofs")(forget_batch)


@queue.job(_TOKENS, of="access.forget_expired")
async def forget_tokens(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete the refresh tokens of the next sign-ins that were over before."""
    before = datetime.fromisoformat(payload["before"])
    await _forget_tokens(tx, before, again=payload["again"])


async def _forget(tx: Tx, table: str, before: datetime, *, after: datetime | None = None) -> None:
    batch = await forgetting.forget(tx.connection, forgetting.KINDS[table], before, after=after)
    if batch.upto is not None:
        onward = {"table": table, "before": before.isoformat(), "after": batch.upto.isoformat()}
        name = _MORE_PROOFS if table == _PROOFS else _BATCH
        await queue.enqueue(tx.connection, name, [onward])


async def _forget_tokens(tx: Tx, before: datetime, *, again: bool = False) -> None:
    batch = await forgetting.forget_tokens(tx.connection, before, again=again)
    if batch.upto is not None:
        onward = {"before": batch.upto.isoformat(), "again": batch.upto == before}
        await queue.enqueue(tx.connection, _TOKENS, [onward])


_NOTICES: Final = (timedelta(days=7), timedelta(days=30))
_TOLD_AT_ONCE: Final = 500
"""Systems that were registered on one day end on one day."""
_TELL: Final = "access.tell_of_ending_keys"
_ENDING: Final = """
WITH ending AS (
    SELECT id FROM clients
    WHERE active AND agency_id IS NOT NULL AND jwks_uri IS NULL
      AND keys_until > $1 AND keys_until <= $2
      AND (keys_noticed IS NULL OR keys_noticed < keys_until - $3::interval)
    ORDER BY id LIMIT $4
)
UPDATE clients c SET keys_noticed = $1 FROM ending WHERE c.id = ending.id
RETURNING c.id, c.agency_id, c.region_code, c.keys_until
"""


@queue.every(_TELL, "25 7 * * *")
async def tell_of_ending_keys(tx: Tx, payload: dict[str, Any]) -> None:
    """Tell agencies whose systems' keys end in a month, and again in a week, some at a time."""
    for before in _NOTICES:
        bounds = (tx.now, tx.now + before, before, _TOLD_AT_ONCE)
        rows = await tx.connection.fetch(_ENDING, *bounds)
        await events.publish(tx, *(_ending(row) for row in sorted(rows, key=itemgetter("id"))))
        if len(rows) == _TOLD_AT_ONCE:
            await queue.enqueue(tx.connection, _TELL, [{}], dedupe_keys=[""])
            return


def _ending(row: asyncpg.Record) -> KeysEnding:
    place = row["region_code"]
    return KeysEnding(
        subject_id=row["id"],
        region_code=place,
        home_county=regions.county_of(place) if regions.lies_in_a_county(place) else place,
        told_to=(row["agency_id"],),
        until=row["keys_until"],
    )


@queue.job(operations.REVIEW_DUE)
async def review_due(tx: Tx, payload: dict[str, Any]) -> None:
    """Pass up a review that nobody has made by now."""
    await late.pass_up(tx, UUID(payload["id"]))


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let systems keep their authority when their place gets another code, and what waits for a
    second person stay with those of the place.
    """
    await following.shift(tx, event, "clients", "region_code", "remit_lo", "remit_hi")
    for table in ("approvals", "reviews"):
        await following.shift(tx, event, table, "region_code")
    alarmed = "alarmed_at IS NOT NULL"
    await following.shift(tx, event, "reading_tallies", "region_code", which=alarmed)
