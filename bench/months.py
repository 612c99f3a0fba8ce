"""Let a month of a million attempts go while somebody writes; compare writing with a flat table.

python -m bench.months
"""

import asyncio
import contextlib
import time

import asyncpg

from app import wiring
from app.core.clock import utc_now
from app.core.data import migrations, months, retention
from app.embedded import postgres

_ROWS = 1_000_000
_COLUMNS = """(id, delivery_id, agency_id, number, trigger, started_at, duration_ms,
    response_truncated, key_ids)"""
_SOME = """
SELECT overlay(gen_random_uuid()::text PLACING left($1::uuid::text, 13) FROM 1 FOR 13)::uuid,
    gen_random_uuid(), gen_random_uuid(), n, 'auto', now(), 1, false, '{}'
FROM generate_series(1, $2::int) AS n
"""


async def _open(url: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT set_config('tonghu.caller', 'system', false),"
        " set_config('statement_timeout', '0', false)"
    )
    return connection


async def _fill(connection: asyncpg.Connection, table: str, first: object, rows: int) -> float:
    begun = time.perf_counter()
    await connection.execute(f"INSERT INTO {table} {_COLUMNS} {_SOME}", first, rows)
    return time.perf_counter() - begun


async def _write(url: str, slowest: list[float]) -> None:
    connection = await _open(url)
    now = months.first_id(utc_now())
    while True:
        slowest.append(await _fill(connection, "webhook_attempts", now, 1))


async def _measure(app_url: str, owner_url: str) -> None:
    owner, app = await _open(owner_url), await _open(app_url)
    month = await months.oldest(app, "webhook_attempts")
    assert month is not None
    await _fill(app, "webhook_attempts", month.begins, _ROWS)
    kind = retention.KINDS["webhook_attempts"]
    slowest: list[float] = []
    writer = asyncio.create_task(_write(app_url, slowest))
    await asyncio.sleep(5)
    alone = max(slowest)
    slowest.clear()
    await months.begin_replacing(app, month)
    begun, after, rows = time.perf_counter(), None, 0
    while True:
        batch = await retention.keep_batch(app, kind, month, after=after)
        rows, after = rows + batch.deleted, batch.last
        if after is None:
            break
    sorted_out, begun = time.perf_counter() - begun, time.perf_counter()
    assert await months.replace(app, month)
    print(f"{rows:,} rows looked at for what stays: {rows / sorted_out:,.0f} a second")
    print(f"what stays took their place in {(time.perf_counter() - begun) * 1000:,.0f} ms")
    await asyncio.sleep(2)
    print(f"slowest writer, ms: {alone * 1000:,.0f} before, {max(slowest) * 1000:,.0f} meanwhile")
    writer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writer
    await owner.execute(
        "CREATE TABLE flat (LIKE webhook_attempts INCLUDING ALL);"
        " GRANT INSERT ON flat TO tonghu_app"
    )
    now, cut, flat = months.first_id(utc_now()), [], []
    for _ in range(5):
        flat.append(await _fill(app, "flat", now, 50_000))
        cut.append(await _fill(app, "webhook_attempts", now, 50_000))
    print(f"50,000 rows written, against a flat table: {min(cut) / min(flat):.2f}")


def main() -> None:
    wiring.load()
    with postgres.passing("tonghu-months-") as lease:
        migrations.upgrade(lease.server.owner_url)
        asyncio.run(_measure(lease.server.app_url, lease.server.owner_url))


if __name__ == "__main__":
    main()
