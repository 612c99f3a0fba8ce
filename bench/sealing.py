"""How fast the audit is sealed, beside a bare limit (hashing and COPY alone) in the same run, and
how long an entry waits under a steady load: `python -m bench.sealing`.
"""

import asyncio
import statistics
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg

from app.core.clock import utc_now
from app.core.data import migrations
from app.core.ids import new_id
from app.embedded import postgres
from app.sealer import PAUSE_SECONDS, SESSION
from app.sealing import leaves, merkle, writing
from app.sealing.notes import Signer

STANDING = 100_000
PER_SECOND, SECONDS, AT_ONCE = 1_500, 20, 5
OWED_ROWS, OWED_SECONDS = 1_500, 5.0
COLUMNS = ["id", "at", "actor", "role", "purpose", "operation", "child_ids", "field_groups"]
COLUMNS += ["decision", "request_id", "ip", "region_code", "agency_id"]


def _entry(at: datetime) -> tuple[Any, ...]:
    child, agency = new_id(), new_id()
    what = ("care", "readChild", [child], ["identity", "residence"], "allowed")
    return (
        new_id(),
        at,
        f"staff:{agency}",
        "civil_affairs",
        *what,
        "r" * 32,
        "10.1.2.3",
        1,
        agency,
    )


async def _record(superuser: asyncpg.Connection, many: int, each: int) -> None:
    """Record entries, so many in each transaction."""
    for _ in range(0, many, each):
        rows = [_entry(utc_now()) for _ in range(each)]
        await superuser.copy_records_to_table("audit_entries", records=rows, columns=COLUMNS)


async def _bare(superuser: asyncpg.Connection, many: int) -> float:
    """Rows a second, if somebody else had read and written them down: hashes and COPY alone."""
    await superuser.execute(
        "CREATE TEMP TABLE bare (n bigint PRIMARY KEY, entry_id uuid, hash bytea)"
    )
    await superuser.execute("CREATE UNIQUE INDEX ON bare (entry_id)")
    text = leaves.text(leaves.content(1, dict(zip(COLUMNS, _entry(utc_now()), strict=True))))
    ids, edge, began = [new_id() for _ in range(many)], merkle.Edge(0, []), time.perf_counter()
    for at in range(0, many, writing.BATCH):
        rows = []
        for n in range(at, min(at + writing.BATCH, many)):
            hash_ = merkle.leaf_hash(text)
            edge.append(hash_)
            rows.append((n, ids[n], hash_))
        await superuser.copy_records_to_table("bare", records=rows)
    return many / (time.perf_counter() - began)


async def _sealed(
    sealer: asyncpg.Connection, state: writing.State, key: Signer
) -> tuple[writing.State, float, float]:
    """Seal all there is; return rows a second, and for each second of this process's core."""
    began, used, before = time.perf_counter(), time.process_time(), state.edge.size
    more = True
    while more:
        state, sealed = await writing.seal(sealer, state, key, utc_now())
        more = sealed.more
    rows = state.edge.size - before
    return state, rows / (time.perf_counter() - began), rows / (time.process_time() - used)


async def _under_load(
    superuser: asyncpg.Connection, sealer: asyncpg.Connection, state: writing.State, key: Signer
) -> list[float]:
    """How long each entry waited, in seconds, while as many come in as are owed."""
    waits: list[float] = []
    loaded = asyncio.create_task(_load(superuser))
    while not loaded.done() or len(waits) < PER_SECOND * SECONDS:
        state, sealed = await writing.seal(sealer, state, key, utc_now())
        now = datetime.now(UTC)  # noqa: TID251
        waits += [(now - at).total_seconds() for at in sealed.ats]
        if not sealed.more:
            await asyncio.sleep(PAUSE_SECONDS)
    await loaded
    return waits


async def _load(superuser: asyncpg.Connection) -> None:
    began = time.perf_counter()
    for turn in range(PER_SECOND * SECONDS // AT_ONCE):
        ahead = began + turn * AT_ONCE / PER_SECOND - time.perf_counter()
        await asyncio.sleep(max(0.0, ahead))
        await _record(superuser, AT_ONCE, AT_ONCE)


async def measure(server: postgres.Server) -> bool:
    inside = server.superuser_url.replace("/postgres?", "/tonghu?")
    superuser = await asyncpg.connect(inside)
    sealer = await asyncpg.connect(server.sealer_url, server_settings=SESSION)
    key = Signer.generate("bench.example/audit")
    await _record(superuser, STANDING, 50)
    await superuser.execute("ANALYZE audit_entries")
    bare = await _bare(superuser, STANDING)
    state, sealed, on_a_core = await _sealed(sealer, await writing.resume(sealer, key.public), key)
    print(f"sealed     {sealed:8,.0f} rows/s; {on_a_core:,.0f} for each second of its core")
    print(f"bare limit {bare:8,.0f} rows/s (hashing and COPY): {sealed / bare:.0%} of it")
    waits = sorted(await _under_load(superuser, sealer, state, key))
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
    print(f"lag at {PER_SECOND:,} rows/s for {SECONDS} s: p50 {p50:.2f} s, p99 {p99:.2f} s")
    await superuser.close()
    await sealer.close()
    return sealed >= OWED_ROWS and p99 <= OWED_SECONDS


def main() -> None:
    with postgres.passing("tonghu-bench-") as lease:
        migrations.upgrade(lease.server.owner_url)
        good = asyncio.run(measure(lease.server))
    print("as owed" if good else f"NOT as owed: {OWED_ROWS:,} rows/s, p99 {OWED_SECONDS:g} s")
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
