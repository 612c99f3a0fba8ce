"""Whoever is told to come back: the log and the figures say why, the answer does not."""

import asyncio

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import text
from structlog.testing import capture_logs

from app.api import health
from app.core import settings as config
from app.core.data import db, failures
from app.core.data.db import TemporarilyUnavailable
from app.core.http.rate_limits import RateLimits
from app.core.problems import Cause, Problem
from tests.access.factories import a_caller
from tests.conftest import NOW, VILLAGE, calling
from tests.operate.told import samples

_SAID_ELSEWHERE = {"NotReady", "TemporarilyUnavailable"}
"""Their cause is what was found."""


def problems(kind: type[Problem] = Problem) -> set[type[Problem]]:
    found = {each for each in kind.__subclasses__() if each.__module__.startswith("app.")}
    return found.union(*map(problems, found))


def test_each_problem_that_passes_says_why() -> None:
    unsaid = {
        each.__name__ for each in problems() if each.status == 503 and each.cause is Cause.other
    }
    assert unsaid == _SAID_ELSEWHERE


def test_each_fault_of_the_database_that_passes_has_a_cause() -> None:
    assert {kind for kind in failures.PASSING if failures.why(kind("-")) is Cause.other} == set()
    assert failures.why(PoolTimeout()) is Cause.pool_full
    assert failures.why(TimeoutError()) is Cause.database_silent, "though it is an OSError"
    assert failures.why(asyncpg.CannotConnectNowError()) is Cause.database_away
    assert failures.why(asyncpg.QueryCanceledError()) is Cause.statement_timeout
    assert failures.why(asyncpg.DiskFullError()) is Cause.database_full
    assert failures.why(asyncpg.TooManyConnectionsError()) is Cause.database_full
    assert failures.why(ValueError()) is Cause.other


@pytest.mark.parametrize("by_session", [False, True])
async def test_a_statement_that_took_too_long(pool, by_session) -> None:
    async def slow() -> None:
        async with pool.begin() as tx:
            await tx.connection.execute("SET LOCAL statement_timeout = '20ms'")
            if by_session:
                await tx.session.exec(text("SELECT pg_sleep(60)"))
            await tx.connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(TemporarilyUnavailable) as refused:
        await slow()
    assert refused.value.cause is Cause.statement_timeout


async def test_a_row_that_somebody_holds(pool) -> None:
    async def take() -> None:
        async with pool.begin() as tx:
            await tx.connection.execute("SET LOCAL lock_timeout = '20ms'")
            await tx.connection.execute("SELECT pg_advisory_xact_lock(228)")

    async with pool.begin() as holder:
        await holder.connection.execute("SELECT pg_advisory_xact_lock(228)")
        with pytest.raises(TemporarilyUnavailable) as refused:
            await take()
    assert refused.value.cause is Cause.lock


async def test_a_pool_without_a_connection_left(database_urls, keyring) -> None:
    few = config.Database(pool_size=6, pool_timeout_seconds=0.05)
    database = db.Database(db.open_engine(database_urls.app, few), keyring, lambda: NOW)
    held, go_on = [asyncio.Event() for _ in range(6)], asyncio.Event()

    async def hold(begun: asyncio.Event) -> None:
        async with database.begin():
            begun.set()
            await go_on.wait()

    holders = [asyncio.create_task(hold(each)) for each in held]
    await asyncio.gather(*(each.wait() for each in held))
    assert (database.in_use, database.size) == (6, 6)
    with pytest.raises(TemporarilyUnavailable) as refused:
        async with database.begin():
            pass
    assert refused.value.cause is Cause.pool_full
    go_on.set()
    await asyncio.gather(*holders)
    await database.close()


async def test_the_log_and_the_figures_say_it_the_answer_does_not(
    app, settings, keyring, database
) -> None:
    caller = await a_caller(database, settings, "village_director", VILLAGE)
    engine = db.open_engine("postgresql://nobody@127.0.0.1:1/none", settings.database)
    away = db.Database(engine, database.keyring, lambda: NOW)
    async with calling(app, settings, away) as http:
        before = samples((await http.get("/metrics")).text)["tonghu_refused_total"]
        with capture_logs() as logs:
            answers = [
                await http.get("/v1/me", headers=caller.headers),
                await http.get("/readyz"),
                await http.get("/livez"),
            ]
        after = samples((await http.get("/metrics")).text)
        assert after["tonghu_database_up"] == {"": 0}
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert not any("away" in answer.text for answer in answers)
    said = [line["cause"] for line in logs if line["event"] == "request"]
    assert said == [Cause.database_away, Cause.database_away, None]
    label = 'cause="database_away"'
    assert after["tonghu_refused_total"][label] == before[label] + 2
    await away.close()


async def test_why_it_is_not_ready_is_counted(client) -> None:
    health.DRAINING.set()
    try:
        with capture_logs() as logs:
            assert (await client.get("/readyz")).status_code == 503
    finally:
        health.DRAINING.clear()
    assert [line["cause"] for line in logs if line["event"] == "request"] == [Cause.draining]


async def test_who_asked_too_much_is_counted_apart(app, settings, database) -> None:
    caller = await a_caller(database, settings, "village_director", VILLAGE)
    meagre = RateLimits(per_second=0.001, burst=1)
    async with calling(app, settings, database, rate_limits=meagre) as http:
        with capture_logs() as logs:
            answers = [await http.get("/v1/me", headers=caller.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    said = [line["cause"] for line in logs if line["event"] == "request"]
    assert said == [None, Cause.asked_too_much]


def test_what_could_not_begin_may_succeed_later() -> None:
    """Then the socket is gone; of what was under way only some passes."""
    gone, silent = FileNotFoundError("socket"), TimeoutError()
    said = [failures.will_pass(each, began=began) for each in (gone, silent) for began in (0, 1)]
    assert said == [True, False, True, True]
