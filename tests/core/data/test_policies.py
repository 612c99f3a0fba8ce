"""What a policy hides stays hidden from whatever a caller's own condition tries."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.core.data.db import SYSTEM, Reach
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.visits.factories import a_visit

VILLAGE, ELSEWHERE = 120119101200, 120118101200
SECRET, OWN = "secret-code", "own-code"


@pytest.fixture
async def teller(pg, database_urls) -> AsyncIterator[asyncpg.Connection]:
    """The superuser's connection, who made `tell`: it shows every text it is asked about."""
    url = urlsplit(pg)._replace(path=urlsplit(database_urls.app).path).geturl()
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
        " $$ BEGIN RAISE NOTICE 'told %', $1; RETURN true; END $$"
    )
    yield connection
    await connection.execute("DROP FUNCTION tell")
    await connection.close()


@pytest.fixture
async def stranger(live_database, settings, database_urls) -> AsyncIterator[asyncpg.Connection]:
    """A caller of another county, who sees one visit there; this county's is hidden from them."""
    for region_code, place in ((VILLAGE, SECRET), (ELSEWHERE, OWN)):
        child = await a_child(live_database, region_code, name=place, in_plain=True)
        agency = (await a_caller(live_database, settings, "civil_affairs", region_code)).agency_id
        async with live_database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO visits (id, home_county, child_id, region_code, visited_in,"
                " visited_on, agency_id, visitor_type, place, channel, abnormal,"
                " policies_explained, content_mac, version, received_at, updated_at)"
                " SELECT $1, home_county, id, region_code, region_code, '2026-11-18', $2,"
                " 'teacher', 'home', 'phone', false, ARRAY[name], '', 1, $3, $3"
                " FROM children WHERE id = $4",
                a_visit(child.id)["id"],
                agency,
                tx.now,
                child.id,
            )
    connection = await asyncpg.connect(database_urls.app)
    await reach(connection, ELSEWHERE)
    yield connection
    await connection.close()


async def reach(connection: asyncpg.Connection, lo: int) -> None:
    for name, value in Reach(lo, lo + 1).settings.items():
        await connection.execute("SELECT set_config($1, $2, false)", f"tonghu.{name}", value)


ASKING = {
    "a cheap function": "SELECT id FROM visits WHERE tell(policies_explained[1])",
    "a function of the child": "SELECT id FROM children WHERE tell(name)",
    "a join": "SELECT v.id FROM visits v JOIN children c"
    " ON c.home_county = v.home_county AND c.id = v.child_id AND tell(c.name)",
    "a filtered count": "SELECT count(*) FILTER (WHERE tell(policies_explained[1])) FROM visits",
    "a division by nought": "SELECT id FROM visits"
    f" WHERE CASE WHEN policies_explained[1] = '{SECRET}' THEN 1 / abnormal::int ELSE 1 END = 1",
    "a cast": "SELECT id FROM children WHERE name = '" + OWN + "' OR name::int > 0",
    "a pattern": f"SELECT id FROM children WHERE name LIKE '{SECRET}%'",
    "an array": f"SELECT id FROM visits WHERE policies_explained @> ARRAY['{SECRET}']",
}


@pytest.mark.parametrize("asking", ASKING.values(), ids=ASKING)
async def test_a_condition_of_the_callers_tells_nothing(teller, stranger, asking) -> None:
    told = await _told(stranger, asking)
    assert SECRET not in told, told


async def test_only_a_function_declared_leakproof_would_tell(teller, stranger) -> None:
    await teller.execute("ALTER FUNCTION tell(text) LEAKPROOF")
    told = await _told(stranger, ASKING["a cheap function"])
    assert SECRET in told


async def test_no_function_of_ours_is_declared_leakproof_or_immutable(tx) -> None:
    found = await tx.connection.fetch(
        "SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace"
        " AND (proleakproof OR provolatile = 'i') AND NOT EXISTS"
        " (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    assert found == []


async def test_a_prepared_statement_answers_for_whoever_asks_now(stranger) -> None:
    prepared = await stranger.prepare("SELECT policies_explained[1] FROM visits")
    for turn in range(20):  # from the sixth on, the plan is kept
        here = turn % 2 == 0
        await reach(stranger, VILLAGE if here else ELSEWHERE)
        assert [row[0] for row in await prepared.fetch()] == [SECRET if here else OWN]


async def _told(connection: asyncpg.Connection, asking: str) -> str:
    heard: list[str] = []
    connection.add_log_listener(lambda _, message: heard.append(message.message))
    rows = await connection.fetch(asking)  # raises if a hidden row is divided or cast
    assert len(rows) <= 1
    return " ".join(heard)
