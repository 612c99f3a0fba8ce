"""Forget what has expired and proves nothing any more; keep systems in their place."""

from datetime import timedelta
from typing import Any

from app.core.data.db import Tx
from app.core.jobs import queue
from app.regions import following
from app.regions.events import RegionReplaced

_KEPT = timedelta(days=1)
"""Longer than any of it counts, so that a clock a little off forgets nothing too early."""


@queue.every("access.forget_expired", "17 3 * * *")
async def forget_expired(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete spent proofs, revocations, codes, invitations, guesses, and the refresh tokens of
    sign-ins that are over.
    """
    before = tx.now - _KEPT
    over = "sign_ins s WHERE s.id = r.sign_in_id AND s.ends_at < $1"
    for statement in (
        "DELETE FROM used_assertions WHERE expires_at < $1",
        "DELETE FROM revocations WHERE expires_at < $1",
        "DELETE FROM authorization_codes WHERE expires_at < $1",
        "DELETE FROM invitations WHERE expires_at < $1",
        "DELETE FROM device_codes WHERE expires_at < $1",
        "DELETE FROM sign_in_places WHERE seen_at < $1 AND coalesce(known_until < $1, true)",
        f"DELETE FROM refresh_tokens r USING {over}",
    ):
        await tx.connection.execute(statement, before)


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let systems keep their authority when their place gets another code."""
    await following.shift(tx, event, "clients", "region_code", "remit_lo", "remit_hi")
