"""A database that is silent (SIGSTOP): nothing hangs, nothing is promised, all is well after."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.core import settings as config
from app.core import startup
from app.core.clock import utc_now
from app.core.data import db
from app.core.data.db import SYSTEM, OutcomeUnknown, TemporarilyUnavailable, Tx
from app.core.jobs import runner
from app.core.settings import Environment, Settings
from app.webhooks import delivery
from tests.conftest import calling
from tests.faults.load import STORED, Load, a_report
from tests.faults.town import Town
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("faults")

PROMETHEUS_WAITS = 10.0
"""Seconds, unless it is told otherwise: of whoever takes longer it knows nothing."""
LISTENS = """
SELECT pid FROM pg_stat_activity WHERE application_name = 'impatient' AND pid <> ALL ($1::int[])
"""


def processes_of(town: Town) -> list[int]:
    """The postmaster first, so that it makes no more of them."""
    postmaster = town.pid("postmaster")
    found = [postmaster]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == postmaster:
                found.append(int(folder.name))
    return found


@contextmanager
def silent(town: Town) -> Iterator[None]:
    os.kill(town.pid("postmaster"), signal.SIGSTOP)
    stopped = processes_of(town)
    for pid in stopped[1:]:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def impatient(town: Town):
    """The town's database, to a process that waits no longer than it must."""
    settings = Settings(
        environment=Environment.sandbox,
        data_dir=town.data_dir,
        tokens={"issuer": town.base},
        database={"statement_timeout_ms": 100},
    )
    async with startup.reachable_database(settings) as addresses:
        engine = db.open_engine(addresses.app_url, settings.database)
        database = db.Database(engine, startup.keyring(settings), utc_now)
        yield settings, addresses.app_url, database
        assert engine.pool.checkedout() == 0
        await database.close()


async def test_every_request_ends_and_none_is_promised(app, town: Town, impatient) -> None:
    settings, _, database = impatient
    load = await asyncio.to_thread(Load.of, town)
    report = a_report(town)
    caller = load.callers["report"]
    headers = {"authorization": f"Bearer {caller.token}", "purpose-of-use": caller.purpose}
    sent = {"json": report.body, "headers": {**headers, "idempotency-key": report.id}}
    async with (
        calling(app, settings, database) as http,
        httpx.AsyncClient(base_url=town.base, timeout=PATIENCE) as web,
        asyncio.timeout(PATIENCE),
    ):
        assert (await http.get("/v1/me", headers=headers)).status_code == 200
        assert "tonghu_database_up 1.0" in (await web.get("/metrics")).text
        with silent(town):
            reads = [http.get("/v1/me", headers=headers) for _ in range(20)]
            reports = [http.post(report.path, **sent) for _ in range(2)]
            answers = await asyncio.gather(*reads, *reports)
            assert {answer.status_code for answer in answers} == {503}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
            assert (await web.get("/livez")).status_code == 200
            assert (await web.get("/readyz")).status_code == 503
            figures = await web.get("/metrics", timeout=PROMETHEUS_WAITS)
            assert "tonghu_database_up 0.0" in figures.text
        await until(lambda: _is_ready(http))
        assert (await http.post(report.path, **sent)).status_code == 201
        assert (await web.get("/readyz")).status_code == 200
    (stored,) = await town.query(STORED, [report.id])
    assert (stored["reports"], stored["deliveries"], stored["keys"]) == (1, 1, 1)


async def _is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def test_a_commit_that_is_not_answered_is_not_known(town: Town, impatient) -> None:
    _, _, database = impatient
    with ExitStack() as silence:

        async def cut_off_at_the_commit() -> None:
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute("UPDATE jobs SET failures = failures")
                silence.enter_context(silent(town))

        with pytest.raises(OutcomeUnknown) as unknown:
            await asyncio.wait_for(cut_off_at_the_commit(), PATIENCE)
    assert unknown.value.headers["retry-after"] == "2"


async def test_what_is_told_to_stop_does_not_wait_for_the_server(town: Town, impatient) -> None:
    """Nor does what undoes but a part of its work."""
    _, _, database = impatient
    begun: list[Tx] = []

    async def work() -> None:
        async with database.begin(SYSTEM) as tx:
            begun.append(tx)
            await until(lambda: False)

    async def work_in_silence() -> None:
        async with database.begin(SYSTEM) as tx:
            with silent(town):
                told_to_stop.cancel()
                await asyncio.gather(told_to_stop, return_exceptions=True)
                async with tx.connection.transaction():
                    await tx.connection.execute("SELECT 1")

    told_to_stop = asyncio.ensure_future(work())
    await until(lambda: begun)
    with pytest.raises(TemporarilyUnavailable):
        await asyncio.wait_for(work_in_silence(), PATIENCE)
    assert told_to_stop.cancelled()


async def test_a_worker_goes_on_when_the_server_does(town: Town, impatient) -> None:
    _, url, database = impatient
    tries: list[object] = []

    async def connect() -> asyncpg.Connection:
        tries.append(None)
        named = {"application_name": "impatient"}
        return await asyncpg.connect(url, timeout=1, command_timeout=0.5, server_settings=named)

    begin = partial(database.begin, SYSTEM)
    stop = asyncio.Event()
    limits = runner.Limits(poll=timedelta(seconds=0.1))
    working = asyncio.gather(
        runner.run(connect, begin=begin, clock=utc_now, stop=stop, limits=limits),
        delivery.run(connect, begin=begin, settings=config.Webhooks(attempt_seconds=1), stop=stop),
    )
    await until(lambda: _listening(town, 2))
    known = [row["pid"] for row in await _listening(town, 2)]
    with silent(town):
        await until(lambda: len(tries) > len(known))
    await until(lambda: _listening(town, 1, besides=known))
    with silent(town):
        stop.set()
        await asyncio.wait_for(working, PATIENCE)


async def _listening(town: Town, count: int, besides: Sequence[int] = ()) -> list[asyncpg.Record]:
    rows = await town.query(LISTENS, list(besides))
    return rows if len(rows) >= count else []
