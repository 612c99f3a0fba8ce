"""Forget what has expired and proves nothing any more; keep systems in their place."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.access.approvals import late, operations
from app.access.events import KeysEnding
from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions import rules as regions
from app.regions.events import RegionReplaced

_KEPT = timedelta(days=1)
"""Longer than any of it counts, so that a clock a little off forgets nothing too early."""
_APART = timedelta(minutes=5)
"""So much more than any two clocks of ours differ."""


@queue.every("access.forget_expired", "17 3 * * *")
async def forget_expired(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete spent proofs, revocations, codes, used invitations, guesses, and the refresh tokens of
    sign-ins that are over. What nobody used stays to be seen.
    """
    before = tx.now - _KEPT
    over = "sign_ins s WHERE s.id = r.sign_in_id AND s.ends_at < $1"
    for statement in (
        "DELETE FROM used_assertions WHERE expires_at < $1",
        "DELETE FROM revocations WHERE expires_at < $1",
        "DELETE FROM authorization_codes WHERE expires_at < $1",
        "DELETE FROM pushed_requests WHERE expires_at < $1",
        "DELETE FROM invitations WHERE expires_at < $1 AND used_at IS NOT NULL",
        "DELETE FROM device_codes WHERE expires_at < $1",
        "DELETE FROM sign_in_places WHERE seen_at < $1 AND coalesce(known_until < $1, true)",
        f"DELETE FROM refresh_tokens r USING {over}",
    ):
        await tx.connection.execute(statement, before)


@queue.every("access.forget_proofs", "*/10 * * * *")
async def forget_proofs(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete proofs whose nonces count no more: there is one of every change that is made."""
    await tx.connection.execute("DELETE FROM used_proofs WHERE expires_at < $1", tx.now - _APART)


_NOTICES = (timedelta(days=7), timedelta(days=30))
_ENDING = """
SELECT id, agency_id, region_code, keys_until FROM clients
WHERE active AND agency_id IS NOT NULL AND jwks_uri IS NULL AND keys_until > $1 AND keys_until <= $2
  AND (keys_noticed IS NULL OR keys_noticed < keys_until - $3::interval)
ORDER BY id
"""


@queue.every("access.tell_of_ending_keys", "25 7 * * *")
async def tell_of_ending_keys(tx: Tx, payload: dict[str, Any]) -> None:
    """Tell agencies whose systems' keys end in a month, and again in a week."""
    for before in _NOTICES:
        for row in await tx.connection.fetch(_ENDING, tx.now, tx.now + before, before):
            place = row["region_code"]
            told = KeysEnding(
                subject_id=row["id"],
                region_code=place,
                home_county=regions.county_of(place) if regions.lies_in_a_county(place) else place,
                told_to=(row["agency_id"],),
                until=row["keys_until"],
            )
            await events.publish(tx, told)
            await tx.connection.execute(
                "UPDATE clients SET keys_noticed = $2 WHERE id = $1", row["id"], tx.now
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
