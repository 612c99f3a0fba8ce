"""What the release before wrote in the clear of a visit is read, and sealed once that is gone."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from app.core.data import former, keys
from app.core.data.db import SYSTEM, Database
from app.core.data.envelopes import of_child
from app.core.jobs import queue
from app.visits import jobs, queries
from tests.access.factories import a_caller
from tests.children.conftest import VILLAGE
from tests.children.factories import a_child
from tests.conftest import calling
from tests.former import left, parts
from tests.jobs import run_jobs
from tests.visits.factories import a_visit, something_wrong


async def _row(database: Database) -> Any:
    """Read the visit, and open its child's key for whoever reads it."""
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM visits")
        await keys.load(tx, [of_child(row["child_id"])])
        database.keyring.opened.update(tx.keyring.opened)
        return row


async def _sealed(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "visits.seal_findings", [{}])
    await run_jobs(database)


@pytest.mark.parametrize("batch", [1, 1000])
async def test_it_is_sealed_and_read_as_before(
    batch, app, settings, live_database, database_urls, now, monkeypatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", batch)
    database = live_database
    director = await a_caller(database, settings, "village_director", VILLAGE)
    child = await a_child(database, VILLAGE)
    async with calling(app, settings, database) as client:
        await _it_is_sealed_and_read_as_before(
            client, database, director, child, database_urls.owner, now - former.LATER
        )


async def _it_is_sealed_and_read_as_before(client, database, director, child, owner, since) -> None:
    body = a_visit(child.id, findings=[something_wrong()])
    made = await client.post("/v1/visits", json=body, headers=director.headers)
    assert made.status_code == 201, made.text
    now = await _row(database)
    codes = queries.found(database, now)
    assert (
        orjson.loads(now["findings"]) if isinstance(now["findings"], str) else now["findings"]
    ) == []
    words = {
        name: said for name, said in queries.words_of(database, now).items() if name != "codes"
    }
    async with database.begin(SYSTEM) as tx:
        sealed = tx.keyring.seal(queries.WORDS, now["id"], orjson.dumps(words))
        await tx.connection.execute(
            "UPDATE visits SET findings = $1::jsonb, words_sealed = $2",
            orjson.dumps(codes).decode(),
            sealed,
        )
    assert queries.found(database, await _row(database)) == codes
    path = f"/v1/visits/{made.json()['id']}"
    before = (await client.get(path, headers=director.headers)).json()
    await left(owner, since)
    await _sealed(database)
    assert not (await _row(database))["findings"]
    assert queries.found(database, await _row(database)) == codes
    after = (await client.get(path, headers=director.headers)).json()
    assert after == before
    assert after["findings"] == made.json()["findings"]


async def test_while_the_release_before_may_run_it_is_written_for_it_too(
    live_database, database_urls, now
) -> None:
    database = live_database
    await left(database_urls.owner, now - former.LATER + timedelta(seconds=1))
    async with database.begin(SYSTEM) as tx:
        assert await former.may_run(tx)
        assert not await former.left(tx, former.FINDINGS)
    await _sealed(database)
    async with database.begin(SYSTEM) as tx:
        assert await parts(tx.connection) == {*former.PARTS}
        tx.now = now + timedelta(seconds=1)
        assert not await former.may_run(tx)
        assert await former.left(tx, former.FINDINGS)


async def test_it_is_done_by_itself_and_looks_no_more(
    live_database, database_urls, now, monkeypatch
) -> None:
    database = live_database
    await left(database_urls.owner, now - former.LATER)
    await _sealed(database)
    async with database.begin(SYSTEM) as tx:
        assert await parts(tx.connection) == {*former.PARTS}, "somebody may be late"
        assert await former.left(tx, former.FINDINGS)
    a_day_after = now - former.LATER + former.FOR_THE_LATE
    monkeypatch.setattr(database, "clock", lambda: a_day_after)
    await _sealed(database)
    async with database.begin(SYSTEM) as tx:
        assert await parts(tx.connection) == {former.NAMES, former.SITUATIONS}
        assert not await former.left(tx, former.FINDINGS)
