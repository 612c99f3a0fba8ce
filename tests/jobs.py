"""Run queued jobs inside a test, as the worker would, on the test's own database."""

from typing import Any

import orjson

from app.core.data.db import SYSTEM, Database
from app.core.jobs import case_codes, queue
from app.webhooks.operations import fan_out


async def hand_out(database: Database) -> None:
    """Hand out every event that waits, as the worker would."""
    async with database.begin(SYSTEM) as tx:
        while (passed := await fan_out.hand_out(tx, 1_000)) is None or passed.events:
            pass


async def run_jobs(database: Database, *, rounds: int = 50) -> list[str]:
    """Run every queued job until none is left, and hand out what they and others announced; returns
    their names in order.
    """
    done: list[str] = []
    for _ in range(rounds):
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch(
                "DELETE FROM jobs WHERE status = 'queued' AND run_at <= now()"
                " RETURNING name, payload::text"
            )
        if not rows:
            await hand_out(database)
            return done
        for row in rows:
            async with database.begin(SYSTEM) as tx:
                await queue.REGISTRY[row["name"]].handler(tx, orjson.loads(row["payload"]))
            done.append(row["name"])
    raise AssertionError(f"jobs never end: {done[-10:]}")


async def told(database: Database, name: str | None = None) -> list[dict[str, Any]]:
    """Return the events there are, in order, with the codes of a case that are sealed in them."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT * FROM events WHERE wire_name = coalesce($1, wire_name) ORDER BY id", name
        )
        return await case_codes.with_codes(tx, rows)
