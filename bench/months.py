"""Let a month of a million attempts go while somebody writes, and as many row by row; compare
writing with a flat table. Some minutes.

python -m bench.months
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import UUID

import asyncpg

from app import wiring
from app.core.clock import utc_now
from app.core.data import migrations, months, retention
from app.embedded import postgres

_ROWS = 1_000_000
_BY_BATCH = 200_000
"""Of as many, how many row by row: the rest takes as long."""
_STAYS = 50
"""One delivery in so many is not done: its attempts stay."""
_KIND = "webhook_attempts"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_OPEN_ONES = """
DO $$ DECLARE rule record; BEGIN
    FOR rule IN SELECT conname FROM pg_constraint
        WHERE conrelid = 'webhook_deliveries'::regclass AND contype = 'f'
    LOOP EXECUTE format('ALTER TABLE webhook_deliveries DROP CONSTRAINT %I', rule.conname);
    END LOOP;
END $$
"""
_DELIVERIES = """
INSERT INTO webhook_deliveries (id, webhook_id, endpoint_id, agency_id, event_id, wire_name,
    ordering_key, region_code, home_county, sequence, body, delivery_class, state, attempts,
    replays_due, replayed_after, next_at, created_at)
SELECT md5('delivery' || n)::uuid, n::text, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
    'n', gen_random_uuid(), 120119101200, 120119000000, 1, '', 'S',
    CASE WHEN n % $2::int = 0 THEN 'pending' ELSE 'succeeded' END, 1, 0, 0, now(), now()
FROM generate_series(1, $1::int) AS n
"""
_SOME = """
INSERT INTO {} (id, delivery_id, agency_id, number, trigger, started_at, duration_ms,
    response_truncated, key_ids)
SELECT overlay(gen_random_uuid()::text PLACING left($1::uuid::text, 13) FROM 1 FOR 13)::uuid,
    md5('delivery' || n)::uuid, gen_random_uuid(), 1, 'auto', $3::timestamptz, 1, false, '{{}}'
FROM generate_series(1, $2::int) AS n
"""


async def _open(url: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT set_config('tonghu.caller', 'system', false),"
        " set_config('statement_timeout', '0', false)"
    )
    return connection


async def _fill(
    connection: asyncpg.Connection, table: str, first: UUID, rows: int, at: datetime
) -> float:
    begun = time.perf_counter()
    await connection.execute(_SOME.format(table), first, rows, at)
    return time.perf_counter() - begun


@asynccontextmanager
async def _writing(url: str) -> AsyncIterator[list[float]]:
    """Write attempts of today one by one all the time, and say how long each took, in ms."""
    took: list[float] = []

    async def write() -> None:
        connection, now = await _open(url), utc_now()
        while True:
            took.append(1000 * await _fill(connection, _KIND, months.first_id(now), 1, now))
            await asyncio.sleep(0.001)

    writer = asyncio.create_task(write())
    yield took
    writer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writer


async def _told(what: str, took: list[float], work: Awaitable[int | None]) -> None:
    """Do a thing, and print how long it took and the slowest writer meanwhile."""
    took.clear()
    begun = time.perf_counter()
    rows = await work
    seconds = time.perf_counter() - begun
    await asyncio.sleep(0.2)
    rate = f"{rows / seconds:,.0f}" if rows else ""
    slow = sorted(took)
    waited = f"{slow[-1]:,.0f} | {slow[len(slow) * 99 // 100]:,.1f}"
    print(f"| {what} | {seconds:,.3f} | {rate} | {waited} |", flush=True)


async def _put_by(app: asyncpg.Connection, month: months.Month) -> int:
    after = None
    await months.begin_replacing(app, month)
    while True:
        batch = await retention.keep_batch(app, retention.KINDS[_KIND], month, after=after)
        after = batch.last
        if after is None:
            return _ROWS


async def _replace(app: asyncpg.Connection, month: months.Month) -> None:
    async with app.transaction():
        assert await months.replace(app, month)


async def _drop(app: asyncpg.Connection) -> None:
    await months.drop_gone(app)


async def _by_batch(app: asyncpg.Connection) -> int:
    after, looked = None, 0
    while looked < _BY_BATCH:
        batch = await retention.delete_batch(
            app, retention.KINDS[_KIND], datetime(2021, 1, 1, tzinfo=UTC), after=after
        )
        after, looked = batch.last, looked + retention.BATCH
    return looked


async def _measure(app_url: str, owner_url: str) -> None:
    owner, app = await _open(owner_url), await _open(app_url)
    month = await months.oldest(app, _KIND)
    assert month is not None
    await owner.execute(_OPEN_ONES)
    await app.execute(_DELIVERIES, _ROWS, _STAYS)
    await _fill(app, _KIND, month.begins, _ROWS, utc_now())
    await _fill(app, _KIND, months.first_id(_LONG_AGO), _ROWS, _LONG_AGO)
    await owner.execute("ANALYZE webhook_attempts")
    print(f"{_ROWS:,} rows in the month, of which one in {_STAYS} stays\n")
    print("| what | seconds | rows a second | slowest writer, ms | p99 |\n|---|---|---|---|---|")
    async with _writing(app_url) as took:
        await asyncio.sleep(2)
        await _told("nothing", took, asyncio.sleep(10))
        await _told("what stays is put by", took, _put_by(app, month))
        await _told("it takes the month's place", took, _replace(app, month))
        await _told("the month is dropped", took, _drop(app))
        await _told("row by row", took, _by_batch(app))
    await _compare(owner, app)


async def _compare(owner: asyncpg.Connection, app: asyncpg.Connection) -> None:
    await owner.execute(
        "CREATE TABLE flat (LIKE webhook_attempts INCLUDING ALL);"
        " GRANT INSERT ON flat TO tonghu_app"
    )
    now = utc_now()
    took: dict[tuple[str, int], list[float]] = {}
    for rows, turns in ((20_000, 9), (1, 2_000)):
        for _ in range(turns):
            for table in ("flat", _KIND):
                seconds = await _fill(app, table, months.first_id(now), rows, now)
                took.setdefault((table, rows), []).append(seconds)
        ratio = median(took[_KIND, rows]) / median(took["flat", rows])
        print(f"\n{rows:,} rows a statement: {ratio:.2f} of the time in a flat table", end="")
    print()


def main() -> None:
    wiring.load()
    with postgres.passing("tonghu-months-") as lease:
        migrations.upgrade(lease.server.owner_url)
        asyncio.run(_measure(lease.server.app_url, lease.server.owner_url))


if __name__ == "__main__":
    main()
