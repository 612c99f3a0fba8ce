"""How fast what comes round is: `python -m bench.jobs`, on the register of `make plans`.

BENCH_CHILDREN (200,000 unless given) children. Each job is run as the worker runs it, batch by
batch, four counties side by side, on one process, or on two where it says so; then its rows are
put back, the tables swept, and the very same rows written by one bare INSERT … SELECT or UPDATE:
what is left is deciding and telling. The register is used up: it is dropped at the end, and made
anew by whoever asks next.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from app import wiring
from app.children import rederiving
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, Tx
from app.core.settings import Database as DatabaseSettings
from app.duties import escalating, operations, periodic
from tests import schema
from tests.plans import world

CHILDREN = int(os.environ.get("BENCH_CHILDREN", "200000"))
SIDE_BY_SIDE = 4
NEXT_QUARTER = datetime.fromisoformat("2027-01-04T02:00:00+00:00")
ITS_END = datetime.fromisoformat("2027-04-05T02:00:00+00:00")


@dataclass(slots=True)
class Run:
    """What a job took: seconds in all, of its longest transaction, and how many there were."""

    seconds: float = 0.0
    longest: float = 0.0
    transactions: int = 0


Step = Callable[[Tx], Awaitable[bool]]


async def over(database: Database, steps: Iterable[Step]) -> Run:
    """Run each step, a transaction at a time, until it says that there is no more."""
    run, waiting, started = Run(), list(steps), time.perf_counter()

    async def work() -> None:
        while waiting:
            step, more = waiting.pop(), True
            while more:
                began = time.perf_counter()
                async with database.begin(SYSTEM) as tx:
                    more = await step(tx)
                run.longest = max(run.longest, time.perf_counter() - began)
                run.transactions += 1

    await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)))
    run.seconds = time.perf_counter() - started
    return run


async def bare(connection: asyncpg.Connection, *statements: str) -> float:
    await connection.execute("VACUUM (ANALYZE) children, duties, events")
    started = time.perf_counter()
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement)
    return time.perf_counter() - started


def opening(county: int) -> Step:
    """Open the duties of a county's children, as `duties.open_period_in_county` does."""
    last = UUID(int=0)

    async def step(tx: Tx) -> bool:
        nonlocal last
        if not last.int:
            await periodic.follow_children(tx, county)
        children = await periodic.next_children(tx, county, last)
        await periodic.open_period(tx, home_county=county, children=children)
        if children:
            last = children[-1]
        return len(children) == periodic.SET

    return step


def overdue(county: int) -> Step:
    return lambda tx: escalating.mark_overdue(tx, county)


def deriving(county: int) -> Step:
    return lambda tx: rederiving.rederive(tx, county)


def a_share(url: str, keyring: Keyring, places: Sequence[int]) -> Run:
    """Derive a share of the counties, in a process of its own."""

    async def share() -> Run:
        wiring.load()
        database = Database(db.open_engine(url, DatabaseSettings()), keyring, lambda: world.NOW)
        try:
            return await over(database, map(deriving, places))
        finally:
            await database.close()

    return asyncio.run(share())


async def shared(url: str, keyring: Keyring, places: Sequence[int]) -> Run:
    """Derive counties by two processes, each half of them."""
    started = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        runs = await asyncio.gather(
            *(
                loop.run_in_executor(pool, a_share, url, keyring, places[half::2])
                for half in range(2)
            )
        )
    longest = max(each.longest for each in runs)
    transactions = sum(each.transactions for each in runs)
    return Run(time.perf_counter() - started, longest, transactions)


async def counties(database: Database, of: Callable[[Tx], Awaitable[Sequence[int]]]) -> list[int]:
    async with database.begin(SYSTEM) as tx:
        return [*await of(tx)]


_STORED = """
SELECT string_agg(attname, ', ') FROM pg_attribute
WHERE attrelid = 'duties'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_SAVED = "DROP TABLE IF EXISTS saved; CREATE TEMP TABLE saved AS "
_COLUMNS = "categories, priority_flags, undecided, counted, lacking, next_change_on, derived_on"
_DERIVED = f"SELECT home_county, id, {_COLUMNS} FROM children"
_WRITE = f"""
UPDATE children c SET {", ".join(f"{n} = s.{n}" for n in _COLUMNS.split(", "))}
FROM saved s WHERE c.home_county = s.home_county AND c.id = s.id
"""


def line(table: Table, what: str, rows: int, run: Run, plain: float | None = None) -> None:
    table.add_row(
        what,
        f"{rows:,}",
        f"{run.seconds:.1f}",
        f"{rows / run.seconds:,.0f}" if rows else "-",
        "-" if plain is None else f"{plain:.1f}",
        "-" if plain is None else f"{run.seconds / plain:.1f}",
        f"{run.longest:.2f}",
        f"{run.transactions:,}",
    )
    Console().print(f"{what}: {run}, bare {plain}, {rows:,} rows")


async def derived(
    database: Database, superuser: asyncpg.Connection, table: Table, app_url: str
) -> None:
    """Derive all files, then those of a night."""
    database.clock = lambda: world.NOW
    children = await superuser.fetchval("SELECT count(*) FROM children")
    places = await counties(database, rederiving.counties)
    await superuser.execute("UPDATE children SET next_change_on = '-infinity'")
    await superuser.execute("VACUUM (ANALYZE) children")
    full = await over(database, map(deriving, places))
    await superuser.execute(_SAVED + _DERIVED)
    await superuser.execute("UPDATE children SET next_change_on = '-infinity'")
    line(table, "all files derived anew", children, full, await bare(superuser, _WRITE))
    by_others = "UPDATE derivations SET made_by = NULL"
    await superuser.execute(by_others)
    seen = await over(database, map(deriving, places))
    line(table, "all again by other rules, which say the same", children, seen)
    await superuser.execute(by_others)
    seen = await shared(app_url, database.keyring, places)
    line(table, "the same, on two processes", children, seen)
    line(table, "a night on which none is due", 0, await over(database, map(deriving, places)))
    tomorrow = world.NOW + timedelta(days=1)
    database.clock = lambda: tomorrow
    due = "SELECT count(*) FROM children WHERE next_change_on <= $1"
    count = await superuser.fetchval(due, tomorrow.date())
    await superuser.execute(f"{_SAVED}{_DERIVED} WHERE next_change_on <= '{tomorrow.date()}'")
    night = await over(database, map(deriving, places))
    plain = await bare(superuser, _WRITE)
    line(table, "a night, what is due by then", count, night, plain)


async def owed(database: Database, superuser: asyncpg.Connection, table: Table) -> None:
    """Open a quarter, and let it end."""
    database.clock = lambda: NEXT_QUARTER
    opened = await over(database, map(opening, await counties(database, operations.counties)))
    new = f"opened_at = '{NEXT_QUARTER.isoformat()}'"
    await superuser.execute(f"{_SAVED}SELECT * FROM duties WHERE {new}")
    await superuser.execute(f"DELETE FROM duties WHERE {new}")
    columns = await superuser.fetchval(_STORED)
    copied = f"INSERT INTO duties ({columns}) SELECT {columns} FROM saved"
    plain = await bare(superuser, copied)
    count = await superuser.fetchval("SELECT count(*) FROM saved")
    line(table, "a quarter opened", count, opened, plain)

    database.clock = lambda: ITS_END
    await superuser.execute("TRUNCATE jobs")
    known = await superuser.fetchval("SELECT count(*) FROM events")
    late = await over(database, map(overdue, await counties(database, escalating.counties_due)))
    marked = f"overdue_at = '{ITS_END.isoformat()}'"
    told = f"occurred_at = '{ITS_END.isoformat()}'"
    await superuser.execute(f"{_SAVED}SELECT * FROM duties WHERE {marked}")
    await superuser.execute(
        f"DROP TABLE IF EXISTS said; CREATE TEMP TABLE said AS SELECT * FROM events WHERE {told}"
    )
    await superuser.execute(
        f"""{_SAVED.replace("saved", "numbers")}SELECT s.* FROM subject_sequences s JOIN said e
        ON e.subject_id = s.subject_id WHERE e.sequence = 1"""
    )
    await superuser.execute(f"DELETE FROM events WHERE {told}")
    await superuser.execute("DELETE FROM subject_sequences s USING numbers n WHERE s = n")
    await superuser.execute(
        "UPDATE duties SET state = 'open', overdue_at = NULL, escalated = 0, escalates_at = NULL"
        f" WHERE {marked}"
    )
    plain = await bare(
        superuser,
        "UPDATE duties d SET state = 'overdue', escalated = s.escalated, version = d.version + 1,"
        " overdue_at = s.overdue_at, escalates_at = s.escalates_at FROM saved s WHERE d.id = s.id",
        "INSERT INTO subject_sequences SELECT * FROM numbers",
        "INSERT INTO events OVERRIDING SYSTEM VALUE SELECT * FROM said",
    )
    count = await superuser.fetchval("SELECT count(*) FROM saved")
    assert known < await superuser.fetchval("SELECT count(*) FROM events")
    line(table, "a quarter's end: marked overdue, and told", count, late, plain)


async def main(superuser_url: str, kept: world.Kept, urls: schema.Urls) -> None:
    wiring.load()
    settings = world.settings_of(urls)
    database = Database(
        db.open_engine(urls.app, settings.database), kept.keyring, lambda: world.NOW
    )
    here = urlsplit(superuser_url)._replace(path=urlsplit(urls.app).path).geturl()
    superuser = await asyncpg.connect(here)
    table = Table(title=f"{kept.children:,} children")
    for column in ("job", "rows", "s", "rows/s", "bare, s", "times", "longest, s", "transactions"):
        table.add_column(column, justify="left" if column == "job" else "right")
    try:
        await derived(database, superuser, table, urls.app)
        await owed(database, superuser, table)
    finally:
        Console(width=120).print(table)
        await superuser.close()
        await database.close()
        await schema.drop(superuser_url, urlsplit(urls.app).path.lstrip("/"))


if __name__ == "__main__":
    with world.server() as superuser_url:
        asyncio.run(main(superuser_url, *world.at(superuser_url, CHILDREN)))
