"""What expired goes, however much of it there is: no statement deletes all at once."""

from datetime import timedelta

import pytest

from app.access import forgetting, jobs
from app.core.data.db import SYSTEM
from app.core.data.retention import KINDS
from app.core.ids import new_id
from app.policy import operations as policy
from tests.access.apps import a_person, refresh, signed_in
from tests.jobs import run_jobs

LONG_AGO = timedelta(days=3)
ASSERTIONS = """
INSERT INTO used_assertions (client_id, token_id, expires_at)
SELECT $1, n::text, $2::timestamptz + n * interval '1 millisecond' FROM generate_series(1, $3) n
"""
PLACES = """
INSERT INTO sign_in_places (name_index, network_index, failures, seen_at, known_until)
SELECT n::text::bytea, 'somewhere', 0, $1::timestamptz + n * interval '1 millisecond',
    CASE WHEN n % 5 > 0 THEN $2::timestamptz END
FROM generate_series(1, 20) n
"""


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH", 3)
    monkeypatch.setattr(forgetting, "SIGN_INS", 2)


async def _forget(database, job):
    async with database.begin(SYSTEM) as tx:
        await job(tx, {})
        first = await tx.connection.fetchval("SELECT count(*) FROM jobs")
    return first, await run_jobs(database)


async def test_by_the_batch_until_there_is_no_more(database, now, few) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(ASSERTIONS, new_id(), now - LONG_AGO, 10)
        await tx.connection.execute(ASSERTIONS, new_id(), now, 2)
    begun, ran = await _forget(database, jobs.forget_expired)
    assert (begun, ran.count("access.forget_batch")) == (1, 3), "each queues the next"
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM used_assertions") == 2


async def test_what_stays_is_passed_over_and_looked_at_once(database, now, few, queries) -> None:
    """Browsers and networks that are known stay for months, before what goes."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(PLACES, now - LONG_AGO, now + LONG_AGO)
    _, ran = await _forget(database, jobs.forget_expired)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM sign_in_places") == 16
    assert ran.count("access.forget_batch") <= 12


async def test_spent_proofs_too(database, now, few) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO used_proofs SELECT n::text::bytea, $1 FROM generate_series(1, 10) n",
            now - LONG_AGO,
        )
    await _forget(database, jobs.forget_proofs)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM used_proofs") == 0


async def test_tokens_of_many_sign_ins_and_not_those_of_long_ago_again(
    client, database, now, few, unique
) -> None:
    await a_person(database, unique)

    async def signed_in_and_refreshed() -> None:
        app, issued = await signed_in(client, database, unique)
        for _ in range(2):  # three of each, six of what is looked at: twice what goes at once
            issued = (await refresh(client, app, issued["refresh_token"])).json()

    for days in range(5):
        database.clock = lambda days=days: now + timedelta(days=days)
        await signed_in_and_refreshed()
    database.clock = lambda: now + timedelta(days=40)
    await signed_in_and_refreshed()
    await _forget(database, jobs.forget_expired)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM refresh_tokens") == 3
        assert await tx.connection.fetchval("SELECT count(*) FROM sign_ins") == 6
    _, ran = await _forget(database, jobs.forget_expired)
    assert "access.forget_tokens" not in ran, "the latest that are over have none any more"


async def test_a_sign_in_goes_after_a_year_once_nothing_of_it_is_left(
    client, database, now, unique
) -> None:
    await a_person(database, unique)
    kind = KINDS["sign_ins"]
    for after in (0, 30, 380):
        database.clock = lambda after=after: now + timedelta(days=after)
        await signed_in(client, database, unique)
    database.clock = lambda: now + timedelta(days=400)
    async with database.begin(SYSTEM) as tx:
        assert (await policy.forget(tx, kind)).deleted == 0, "a code or a token of each is left"
    await _forget(database, jobs.forget_expired)
    async with database.begin(SYSTEM) as tx:
        assert (await policy.forget(tx, kind)).deleted == 2
        assert await tx.connection.fetchval("SELECT count(*) FROM sign_ins") == 1
    async with database.begin(SYSTEM) as tx:
        assert (await policy.forget(tx, kind)).deleted == 0
