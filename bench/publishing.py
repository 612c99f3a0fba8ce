"""What it costs that codes of a case are sealed in what is told: `python -m bench.publishing`.

Events/s published, a hundred in a transaction, and handed out to 3,000 endpoints: of events that
say nothing of a case, and of the same with a list of codes, which is sealed under the key of the
child they are about. In turn, on an embedded server with fsync on; the median of the rounds.
"""

import statistics
import time
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import asyncpg
import uvloop

from app import wiring
from app.children.events import ChildChanged
from app.core.clock import utc_now
from app.core.data import keys, migrations
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from app.core.jobs.bodies import Code
from app.core.jobs.events import publish
from app.core.settings import Settings
from app.embedded import postgres
from app.regions.divisions import shipped
from app.regions.operations import import_divisions
from app.webhooks.handing import BATCH
from bench.handing import _PLACES, AS_SYSTEM, EMPTY, PROVINCE, endpoints, hand_out, spread

CHILDREN, ENDPOINTS, EVENTS, ROUNDS = 2_000, 3_000, 5_000, 5
_KEYS = """
INSERT INTO child_keys (home_county, child_id, wrapped)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bytea[])
"""
CODES = ["neglect", "injury", "left_school"]


class Plain(ChildChanged):
    """Says nothing of a case."""

    wire_name: ClassVar[str] = "children.bench_plain"


class OfCase(ChildChanged):
    """Says what a visit found."""

    wire_name: ClassVar[str] = "children.bench_of_case"
    found: list[Code]


async def _children(database: Database, superuser_url: str, places: Sequence[int]) -> list[UUID]:
    """Make keys of children; there are no files of theirs, which nothing here asks for."""
    ids = [new_id() for _ in range(CHILDREN)]
    counties = [places[n % len(places)] // 1_000_000 * 1_000_000 for n in range(CHILDREN)]
    async with database.begin(SYSTEM) as tx:
        wrapped = [keys.make(tx.keyring, of_child(each)) for each in ids]
    superuser = await asyncpg.connect(superuser_url)
    await superuser.execute("SET session_replication_role = replica")
    await superuser.execute(_KEYS, counties, ids, wrapped)
    await superuser.close()
    return ids


async def _announce(
    database: Database, kind: type[ChildChanged], children: Sequence[UUID], places: Sequence[int]
) -> float:
    def event(number: int) -> ChildChanged:
        of = number % len(children)
        place = places[of % len(places)]
        more = {"found": CODES} if kind is OfCase else {}
        return kind(
            subject_id=children[of],
            region_code=place,
            home_county=place // 1_000_000 * 1_000_000,
            version=2,
            sections=["education"],
            previous_region_code=None,
            **more,
        )

    began = time.perf_counter()
    for start in range(0, EVENTS, 100):
        async with database.begin(SYSTEM) as tx:
            await publish(tx, *map(event, range(start, start + 100)))
    return EVENTS / (time.perf_counter() - began)


async def measure(server: postgres.Server) -> None:
    wiring.load()
    inside = server.superuser_url.replace("/postgres?", "/tonghu?")
    engine = open_engine(server.app_url, Settings().database)
    database = Database(engine, Keyring.generate(), utc_now)
    async with database.begin(SYSTEM) as tx:
        await import_divisions(tx.connection, shipped())
    owner = await asyncpg.connect(server.owner_url)
    await owner.execute(AS_SYSTEM)
    townships = [row[0] for row in await owner.fetch(_PLACES, PROVINCE, "township")]
    counties = [row[0] for row in await owner.fetch(_PLACES, PROVINCE, "county")]
    await endpoints(database, spread(ENDPOINTS, townships, counties), "https://bench.invalid/")
    children = await _children(database, inside, townships)
    found: dict[type[ChildChanged], list[tuple[float, float]]] = {Plain: [], OfCase: []}
    for _ in range(ROUNDS + 1):
        for kind, figures in found.items():
            await owner.execute(EMPTY)
            announced = await _announce(database, kind, children, townships)
            figures.append((announced, (await hand_out(database, BATCH, EVENTS))[0]))
    for kind, figures in found.items():
        published, handed = (statistics.median(each) for each in zip(*figures[1:], strict=True))
        print(f"{kind.__name__:7} {published:7,.0f} events/s published, {handed:7,.0f} handed out")
    await owner.close()
    await database.close()


def main() -> None:
    with postgres.passing("tonghu-bench-") as lease:
        migrations.upgrade(lease.server.owner_url)
        uvloop.run(measure(lease.server))


if __name__ == "__main__":
    main()
