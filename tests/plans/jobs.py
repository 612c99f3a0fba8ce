"""Each periodic job, some rounds of it, and what it queues, over the same register."""

import orjson

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.conftest import PinnedDatabase, undone
from tests.plans.judging import Watch
from tests.plans.telling import Asked

ROUNDS = 3
"""How often a job runs: the first has what the register left to do, the others what is left."""
_FOLLOWING = """
DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs WHERE name = $1) RETURNING payload::text
"""


async def run_each(database: PinnedDatabase, watch: Watch, only: str) -> list[Asked]:
    """Run every periodic job and the first job of each kind it queues."""
    found = []
    for name, job in sorted(queue.REGISTRY.items()):
        if job.cron is None or only not in name:
            continue
        async with undone(database):
            found += [
                await _run(database, watch, name, {}, f"round {turn}") for turn in range(ROUNDS)
            ]
            async with database.begin(SYSTEM) as tx:
                kinds = await tx.connection.fetch("SELECT DISTINCT name FROM jobs")
            for kind in sorted(row["name"] for row in kinds):
                async with database.begin(SYSTEM) as tx:
                    payload = await tx.connection.fetchval(_FOLLOWING, kind)
                follow = orjson.loads(payload)
                found.append(await _run(database, watch, kind, follow, f"after {name}"))
    return found


async def _run(
    database: PinnedDatabase, watch: Watch, name: str, payload: dict[str, object], what: str
) -> Asked:
    watch.taken()
    status = 200
    watch.on = True
    try:
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY[name].handler(tx, payload)
    except Exception as error:  # noqa: BLE001 -- told in the table, with all others
        status, what = 500, f"{what}: {type(error).__name__}"
    watch.on = False
    return Asked(f"job {name}", what, status, watch.taken())
