"""How fast values are sealed anew, and how long who writes waits meanwhile:
`python -m bench.resealing`. `tonghu keys re-encrypt` as a process, beside writers who open files.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app import wiring
from app.core.clock import utc_now
from app.core.data import db, migrations
from app.core.data.crypto import Keyring
from app.core.ids import new_id
from app.core.settings import Database
from app.embedded import postgres
from tests.children.factories import a_child

VILLAGE = 120119101200
ROWS, CHILDREN = 20_000, 20
WRITERS, PAUSE_SECONDS, ALONE_SECONDS = 4, 0.1, 10.0
_WRITTEN = """
INSERT INTO child_changes (id, home_county, child_id, region_code, version, at, actor, role,
    operation, sections, changes_sealed)
SELECT u.id, home_county, c.id, region_code, n, $4, 'staff:bench', 'bench', 'bench', '{}', u.sealed
FROM children c, unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS u (id, sealed, n)
WHERE c.id = $3
"""


async def _filled(database: db.Database) -> None:
    """Changes of files as a release without keys of children has sealed them."""
    for _ in range(CHILDREN):
        child = await a_child(database, VILLAGE)
        ids = [new_id() for _ in range(ROWS // CHILDREN)]
        said = '{"guardianship": {"status": "合成", "note": "合成记录"}}' * 3
        async with database.begin(db.SYSTEM) as tx:
            sealed = [tx.keyring.seal("child_changes.changes_sealed", each, said) for each in ids]
            await tx.connection.execute(_WRITTEN, ids, sealed, child.id, tx.now)


async def _write(database: db.Database, waits: list[float], over: asyncio.Event) -> None:
    while not over.is_set():
        began = time.perf_counter()
        await a_child(database, VILLAGE)
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)


async def _beside(database: db.Database, work: Any) -> tuple[Any, list[float]]:
    """Do something beside writers; return what came of it, and how long each of them waited."""
    over, waits = asyncio.Event(), list[float]()
    writers = [asyncio.create_task(_write(database, waits, over)) for _ in range(WRITERS)]
    try:
        found = await work
    finally:
        over.set()
        await asyncio.gather(*writers)
    return found, waits


async def _sealed_anew(environment: dict[str, str]) -> str:
    command = (sys.executable, "-m", "app.cli", "keys", "re-encrypt")
    running = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await running.communicate()
    assert running.returncode == 0
    lines = said.decode().splitlines()
    return next(line for line in lines if line.startswith("child_changes") and " rows, " in line)


def _said(waits: list[float]) -> str:
    cut = statistics.quantiles(waits, n=100)
    return f"{len(waits):,} files opened, p50 {cut[49] * 1e3:.0f} ms, p99 {cut[98] * 1e3:.0f} ms"


async def run(work: Path) -> None:
    wiring.load()
    ring = Keyring.generate()
    keys = work / "keys.json"
    keys.write_text(ring.to_json())
    with await asyncio.to_thread(postgres.acquire, work / "server") as lease:
        it = lease.server
        await asyncio.to_thread(migrations.upgrade, it.owner_url)
        database = db.Database(db.open_engine(it.app_url, Database()), ring, utc_now)
        await _filled(database)
        _, alone = await _beside(database, asyncio.sleep(ALONE_SECONDS))
        print(f"writers alone: {_said(alone)}", flush=True)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TONGHU_")}
        environment = {
            **kept,
            "TONGHU_DATABASE__URL": it.app_url,
            "TONGHU_DATABASE__OWNER_URL": it.owner_url,
            "TONGHU_KEYS_FILE": str(keys),
        }
        line, beside = await _beside(database, _sealed_anew(environment))
        print(line)
        print(f"writers beside it: {_said(beside)}")
        await database.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tonghu-resealing-") as place:
        asyncio.run(run(Path(place)))
