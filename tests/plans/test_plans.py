"""`make plans` bites: it finds what reads more than it answers, whoever sends it and however."""

import pytest
from sqlmodel import SQLModel

from app import wiring
from app.core.data.db import SYSTEM, Database, Reach
from tests.conftest import NOW, pinned
from tests.plans import likely, telling
from tests.plans.judging import Judged, Watch, open_watched
from tests.plans.telling import WHOLE, Asked, told

pytestmark = pytest.mark.usefixtures("swept")

EMPTY = Reach(150101000000, 150102000000)
_DUTIES = """
INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role, period,
    counts_from, opened_at, due_at, state, version)
SELECT gen_random_uuid(), 'VIS-01', gen_random_uuid(), county, county, 'village_director', '',
       '2026-10-01', $2::timestamptz, $2 + n * interval '1 minute', 'open', 1
FROM (SELECT n, 130101000000 + n % 300 * 1000000 AS county FROM generate_series(1, $1) AS n) AS u
"""
_IN_ORDER = "SELECT d.id FROM duties d {} ORDER BY d.due_at, d.id LIMIT 51"
_OWN = "WHERE d.region_code >= $1 AND d.region_code < $2"
_WRITTEN = "UPDATE duties d SET version = version + 1 {} RETURNING d.id"


@pytest.fixture
async def watched(database_urls, settings, keyring):
    pool = Database(open_watched(database_urls.app, settings.database), keyring, lambda: NOW)
    async with pinned(pool, keyring, NOW) as database:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_DUTIES, 6_000, tx.now)
            await tx.connection.execute("SELECT count_rows('duties')")
        yield database
    await pool.close()


def test_it_is_said_of_every_table_how_much_there_is() -> None:
    wiring.load()
    said = {*likely.RATIOS, *likely.OF_AGENCIES, *likely.ALONG, *likely.KEPT}
    unsaid = sorted({*SQLModel.metadata.tables} - said)
    assert not unsaid, f"say in RATIOS of tests/plans/likely.py how many a child has: {unsaid}"


_X = {"operation": "listX", "statement": "SELECT", "buffers": 900}


def test_a_page_deep_inside_that_costs_more_than_the_first_fails(monkeypatch, capsys) -> None:
    monkeypatch.setattr(telling.tomllib, "loads", lambda _: {})
    # A fifth more of 100, and some pages for each row.
    for buffers, code in ((540, 0), (541, 1)):
        pages = (("listX", 100), ("listX?cursor", buffers))
        asked = [
            Asked(name, "auditor", 200, [Judged("SELECT x", read, 50, 50, 1.0, "node")])
            for name, read in pages
        ]
        assert told(asked, WHOLE, whole=True) == code, capsys.readouterr().out


def test_what_is_allowed_is_up_to_its_own_ceiling(monkeypatch, capsys) -> None:
    asked = [Asked("listX?a=1", "auditor", 200, [Judged("SELECT x", 900, 1, 1, 1.0, "node")])]
    for allowed, code in (
        ([], 1),
        ([_X], 0),
        ([{"operation": "listX", "statement": "SELECT", "buffers": 899}], 1),
        ([{"operation": "listY", "statement": "SELECT", "buffers": 900}], 1),
        ([_X, {"operation": "listY", "statement": "SELECT", "buffers": 900}], 1),
        ([_X, {"operation": "listY", "statement": "", "buffers": 9, "now_and_then": True}], 0),
    ):
        monkeypatch.setattr(telling.tomllib, "loads", lambda _, said=allowed: {"allowed": said})
        assert told(asked, WHOLE, whole=True) == code, capsys.readouterr().out
    monkeypatch.setattr(telling.tomllib, "loads", lambda _: {})
    assert told([Asked("listX", "auditor", 200, [])], WHOLE, whole=True) == 0
    assert told([Asked("listX", "auditor", 412, [])], WHOLE, whole=True) == 1, "not judged is no ok"
    assert told([Asked("listX", "auditor", 500, [])], WHOLE, whole=True) == 1
    monkeypatch.setattr(telling.tomllib, "loads", lambda _: {"refused": [{"operation": "listX"}]})
    assert told([Asked("listX", "auditor", 412, [])], WHOLE, whole=True) == 0
    assert told([Asked("listX", "auditor", 200, [])], WHOLE, whole=True) == 1, "no more refused"


async def test_a_statement_without_its_own_range_is_caught(watched) -> None:
    """It shows a county nothing, for the policy hides all it reads: what it reads is the nation's.
    Prepared, plain or writing, it is judged under the caller's reach, and leaves nothing behind.
    """
    watch = watched._pinned.raw.watch = Watch()
    async with watched.begin(EMPTY) as tx:
        bounds = (EMPTY.lo, EMPTY.hi)
        watch.on = True
        await tx.connection.fetch(_IN_ORDER.format(""))
        await tx.connection.execute(_IN_ORDER.format(""))
        await (await tx.connection.prepare(_IN_ORDER.format(""))).fetch()
        await tx.connection.fetch(_WRITTEN.format(""))
        caught = watch.taken()
        await tx.connection.fetch(_IN_ORDER.format(_OWN), *bounds)
        await tx.connection.fetch(_WRITTEN.format(_OWN), *bounds)
        within = watch.taken()
    assert [judged.over for judged in caught] == [True] * 4, caught
    assert all("duties" in judged.worst for judged in caught), caught
    assert [judged.over for judged in within] == [False] * 2, within
    async with watched.begin(SYSTEM) as tx:
        watch.on = True
        await tx.connection.execute(
            "UPDATE duties d SET version = version + 1 WHERE rule = 'VIS-01'"
        )
        [update] = watch.taken()
        assert update.rows == 6_000, "what is written counts as answered"
        assert update.buffers < 6_000, "and what writing takes does not count as read"
        watch.on = False
        assert await tx.connection.fetchval("SELECT max(version) FROM duties") == 2
