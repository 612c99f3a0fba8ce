"""How fast facts are handed out: `python -m bench.handing`.

Events/s of the handing out by itself, with no endpoint, 3,000 and 30,000, by the batch and one at a
time. On an embedded server with fsync on, in a folder of its own. Endpoints stand at the townships
of one province (nine of ten), at its counties and above; each takes two packages of five.
"""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from app import wiring
from app.children.events import ChildChanged
from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.core.settings import Settings
from app.regions.divisions import shipped
from app.regions.operations import import_divisions
from app.webhooks import signing
from app.webhooks.handing import BATCH, SMALL_BATCH
from app.webhooks.models import SECRET_PLACE
from app.webhooks.operations import fan_out
from scripts.scratch import choose

ENDPOINTS = (0, 3_000, 30_000)
EVENTS = int(os.environ.get("BENCH_EVENTS", "10000"))
ONE_AT_A_TIME = EVENTS // 50
PROVINCE = 130000000000
PACKAGES = ("attendance", "children", "duties", "referrals", "visits")
TAKEN = 2
"""Of the packages, by each endpoint."""

_PLACES = """
SELECT code FROM regions WHERE code >= $1 AND code < $1 + 10000000000 AND valid_until IS NULL
  AND level = $2 ORDER BY code
"""
_AGENCIES = """
INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
SELECT id, 'civil_affairs', 'bench ' || n, place, true, 1, now(), now()
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS a (id, place, n)
"""
_ENDPOINTS = """
INSERT INTO webhook_endpoints (id, agency_id, url, description, event_types, mandatory, relation,
    region_code, region_lo, region_hi, secret_sealed, last_sequence, active, version, created_at,
    updated_at)
SELECT id, id, $3, 'bench',
       ARRAY[($4::text[])[n % 5 + 1] || '.*', ($4::text[])[(n + 1) % 5 + 1] || '.*'], false,
       'region', place, place, place + 1, sealed, 0, true, 1, now(), now()
FROM unnest($1::uuid[], $2::bigint[], $5::bytea[]) WITH ORDINALITY AS a (id, place, sealed, n)
"""
_SUBSCRIBE = """
INSERT INTO subscriptions (endpoint_id, wire_name, agency_id, relation, region_code)
SELECT e.id, taken, e.agency_id, e.relation, e.region_code
FROM webhook_endpoints e, unnest(e.event_types) AS taken ON CONFLICT DO NOTHING
"""
EMPTY = (
    "TRUNCATE webhook_attempts, webhook_deliveries, events, event_named, subject_sequences, jobs"
)
AS_SYSTEM = "SELECT set_config('tonghu.caller', 'system', false)"


async def endpoints(database: Database, places: list[int], url: str) -> None:
    """Register one endpoint at each place, each of an agency of its own."""
    ids = [new_id() for _ in places]
    keyring: Keyring = database.keyring
    sealed = [keyring.seal(SECRET_PLACE, each, signing.new_secret()) for each in ids]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("SET LOCAL statement_timeout = 0")
        await tx.connection.execute(_AGENCIES, ids, places)
        await tx.connection.execute(_ENDPOINTS, ids, places, url, list(PACKAGES), sealed)
        await tx.connection.execute(_SUBSCRIBE)


def spread(count: int, townships: list[int], counties: list[int]) -> list[int]:
    """Choose where `count` endpoints stand."""
    above = [PROVINCE] * (count // 10_000)
    middle = [counties[n % len(counties)] for n in range(count // 10)]
    below = count - len(above) - len(middle)
    return [*above, *middle, *(townships[n % len(townships)] for n in range(below))]


def kind_of(package: str) -> type[ChildChanged]:
    """Make a kind of event of a package, which no job waits for."""

    class Kind(ChildChanged):
        wire_name: ClassVar[str] = f"{package}.bench"
        rule: str = "VIS-01"
        """Of events about duties: who hears of them is who sees duties of that rule."""

    return Kind


KINDS = [*map(kind_of, PACKAGES)]


async def announce(database: Database, count: int, townships: list[int]) -> float:
    """Publish events about as many subjects, a hundred in a transaction; return events/s."""

    def event(number: int) -> ChildChanged:
        place = townships[number * 7 % len(townships)]
        return KINDS[number % len(KINDS)](
            subject_id=new_id(),
            region_code=place,
            home_county=place // 1_000_000 * 1_000_000,
            version=2,
            sections=["education"],
            previous_region_code=None,
        )

    began = time.perf_counter()
    for start in range(0, count, 100):
        async with database.begin(SYSTEM) as tx:
            await publish(tx, *map(event, range(start, min(start + 100, count))))
    return count / (time.perf_counter() - began)


async def hand_out(database: Database, size: int, passes: int) -> tuple[float, int, int]:
    """Hand out what waits; return events/s, events and deliveries."""
    began, events, deliveries = time.perf_counter(), 0, 0
    for _ in range(passes):
        async with database.begin(SYSTEM) as tx:
            passed = await fan_out.hand_out(tx, size)
        if passed is None or not passed.events:
            break
        events, deliveries = events + passed.events, deliveries + passed.deliveries
    return events / (time.perf_counter() - began), events, deliveries


async def measure_handing(database: Database, owner: str, table: Table) -> None:
    admin = await asyncpg.connect(owner)
    await admin.execute(AS_SYSTEM)
    townships = [row[0] for row in await admin.fetch(_PLACES, PROVINCE, "township")]
    counties = [row[0] for row in await admin.fetch(_PLACES, PROVINCE, "county")]
    there, first = 0, 0.0
    for count in ENDPOINTS:
        await endpoints(
            database, spread(count - there, townships, counties), "https://bench.invalid/"
        )
        there = count
        await admin.execute(EMPTY)
        await announce(database, 1_000, townships)
        await hand_out(database, 1_000, 10)  # warms up
        await announce(database, ONE_AT_A_TIME, townships)
        await admin.execute("ANALYZE")
        one, *_ = await hand_out(database, 1, ONE_AT_A_TIME)
        announced = await announce(database, EVENTS, townships)
        batch = BATCH if count < max(ENDPOINTS) else SMALL_BATCH
        rate, events, made = await hand_out(database, batch, EVENTS)
        first = first or rate
        table.add_row(
            f"{count:,}",
            f"{made / events:.1f}",
            f"{announced:,.0f}",
            f"{one:,.0f}",
            f"{rate:,.0f}",
            f"{rate / one:.0f}",
            f"{rate / first:.2f}",
            f"{rate * made / events:,.0f}",
        )
    await admin.close()


async def run(settings: Settings) -> None:
    wiring.load()
    console = Console(width=120)
    handing = Table(
        *("endpoints", "deliveries/event", "announced/s", "one at a time/s", "events/s"),
        *("× one at a time", "of no endpoint", "deliveries/s"),
    )
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = Database(engine, startup.keyring(settings), utc_now)
        async with database.begin(SYSTEM) as tx:
            await import_divisions(tx.connection, shipped())
        await measure_handing(database, addresses.owner_url, handing)
        console.print(handing)
        await database.close()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-bench-", dir=choose(durable=True).folder))
    os.environ.update({"TONGHU_ENVIRONMENT": "sandbox", "TONGHU_DATA_DIR": str(folder)})
    try:
        uvloop.run(run(Settings()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
