"""What a search finds is what comparing every name would, whoever asks, wherever children live."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from app.children import names, naming, rederiving, sealing, search, tokens
from app.core.data import former, keys
from app.core.data.db import SYSTEM, Database
from app.core.jobs import queue
from app.core.text import canonical_name
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.at_once import all_waiting
from tests.attendance.factories import a_school
from tests.children.conftest import (
    COUNTY,
    OTHER_COUNTY_VILLAGE,
    OTHER_TOWNSHIP_VILLAGE,
    SIBLING,
    TOWNSHIP,
    VILLAGE,
)
from tests.children.factories import a_child
from tests.conftest import calling
from tests.former import left, parts
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

FAR_VILLAGE = 130102101201
PLACES = (VILLAGE, SIBLING, OTHER_TOWNSHIP_VILLAGE, OTHER_COUNTY_VILLAGE, FAR_VILLAGE)
CALLERS = (
    ("village_director", VILLAGE, (VILLAGE, VILLAGE + 1)),
    ("township_supervisor", TOWNSHIP, (TOWNSHIP, TOWNSHIP + 10**3)),
    ("civil_affairs", COUNTY, (COUNTY, COUNTY + 10**6)),
    ("civil_affairs", 120000000000, (120000000000, 130000000000)),
    ("civil_affairs", 0, (0, 10**12)),
)
SEARCHES: tuple[dict[str, str], ...] = (
    {"name": "样小一"},
    {"name": "样小", "match": "prefix"},
    {"name": "样小一", "match": "prefix"},
    {"name": "小一", "match": "suffix"},
    {"name": "小一", "match": "infix"},
    {"name": "小小", "match": "infix"},
    {"name": "曼·吐", "match": "infix"},
    {"name": "样·阿不都热", "match": "prefix"},
    {"name": "阿不都热合", "match": "infix"},
    {"name": "合曼·吐尔逊", "match": "suffix"},
    {"pinyin": "yangxiaoy"},
    {"pinyin": "yangxiaoyi"},
    {"pinyin": "cengxi"},
    {"pinyin": "luxiao"},
    {"pinyin": "yxy"},
    {"pinyin": "brow"},
    {"name": "小一", "match": "infix", "pinyin": "yangx"},
    {"name": "小", "match": "infix", "pinyin": "yangx"},
)
NAMES = (
    *("样小一", "样小小一", "小一样", "样小", "样一", "曾小一", "吕小一", "样小小小", "Brown"),
    *("样·阿不都热合曼·吐尔逊", "样·阿不都热合·吐尔逊"),
)


def fits(name: str, wanted: dict[str, str]) -> bool:
    sought = wanted.get("name")
    return tokens.fits(
        name,
        sought=None if sought is None else canonical_name(sought),
        match=wanted.get("match", "exact"),
        typed=wanted.get("pinyin"),
    )


async def _ask(client, caller, **wanted: Any) -> list[str]:
    """Go through all pages."""
    ids: list[str] = []
    while True:
        answer = await client.post("/v1/children/search", json=wanted, headers=caller.headers)
        assert answer.status_code == 200, answer.text
        ids += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            return ids
        wanted["cursor"] = answer.json()["next_cursor"]


async def _living(database: Database) -> list[Any]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            f"SELECT c.id, {sealing.NAMED}, c.region_code FROM children c"
            " ORDER BY c.region_code, c.id"
        )
    return [
        (str(row["id"]), sealing.named(database.keyring, row)[0], row["region_code"])
        for row in rows
    ]


async def _finds_all(client, database: Database, settings) -> None:
    living = await _living(database)
    for role, region, (lo, hi) in CALLERS:
        caller = await a_caller(database, settings, role, region)
        for wanted in SEARCHES:
            expected = [
                child
                for child, name, lives_in in living
                if lo <= lives_in < hi and fits(name, wanted)
            ]
            found = await _ask(client, caller, **wanted, limit=2)
            assert found == expected, (role, region, wanted)


@pytest.fixture
async def register(database) -> None:
    await some_regions(database, FAR_VILLAGE)
    random = Random(38)
    for name in NAMES:
        for _ in range(3):
            await a_child(database, random.choice(PLACES), name=name)


@pytest.mark.usefixtures("register")
class TestFinds:
    async def test_what_comparing_all_would(self, client, database, settings) -> None:
        found = [each for each in await _living(database) for s in SEARCHES if fits(each[1], s)]
        assert len(found) > 80
        await _finds_all(client, database, settings)

    async def test_nobody_outside_of_a_region(self, client, database, settings) -> None:
        nation = await a_caller(database, settings, "civil_affairs", 0)
        living = await _living(database)
        wanted = {"name": "样小", "match": "prefix"}
        for lo, codes in ((VILLAGE, 1), (TOWNSHIP, 10**3), (120118000000, 10**6)):
            expected = [
                child
                for child, name, lives_in in living
                if lo <= lives_in < lo + codes and fits(name, wanted)
            ]
            found = await _ask(client, nation, **wanted, region_code=f"{lo}")
            assert found == expected, lo

    async def test_also_after_moves_and_other_codes(self, client, database, settings) -> None:
        async with database.begin(SYSTEM) as tx:
            await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
            await replace_region(tx, FAR_VILLAGE, FAR_VILLAGE + 1, date(2026, 7, 1))
        await run_jobs(database)
        await _finds_all(client, database, settings)
        async with database.begin(SYSTEM) as tx:
            kept = {tuple(row) for row in await tx.connection.fetch(_KEPT)}
        assert kept == {
            (child, token)
            for child, name, lives_in in await _living(database)
            for token in names.made(database.keyring, lives_in, tokens.kept(name))
        }

    async def test_wherever_a_pupil_lives(self, client, database, settings) -> None:
        school = await a_school(database, settings)
        boarder = await a_child(database, FAR_VILLAGE, name="样小一", school_id=school.id)
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id)
        for wanted in ({"name": "样小一"}, {"name": "样", "match": "prefix"}, {"pinyin": "yang"}):
            assert await _ask(client, teacher, **wanted) == [str(boarder.id)]


_KEPT = "SELECT child_id::text, token FROM child_names"


async def _tokens(database: Database, child_id: str) -> set[int]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT token FROM child_names WHERE child_id = $1::uuid", UUID(child_id)
        )
    return {row["token"] for row in rows}


class TestKeepsTokens:
    async def test_of_a_file_when_it_is_opened_renamed_and_moved(
        self, open_file, client, database, settings
    ) -> None:
        city = await a_caller(database, settings, "civil_affairs", 120100000000, machine=False)
        file = (await open_file(city)).json()

        def made(name: str, place: int) -> set[int]:
            return {*names.made(database.keyring, place, tokens.kept(name))}

        assert await _tokens(database, file["id"]) == made("样小一", VILLAGE)
        for change, name, place in (
            ({"identity": {"name": "曾小一"}}, "曾小一", VILLAGE),
            ({"residence": {"region_code": f"{SIBLING}"}}, "曾小一", SIBLING),
            ({"residence": {"region_code": f"{OTHER_COUNTY_VILLAGE}"}}, "曾小一", 120118000000),
            ({"health": {"notes": "样"}}, "曾小一", 120118000000),
        ):
            answer = await client.patch(
                f"/v1/children/{file['id']}",
                json=change,
                headers={**city.headers, "if-match": f'"{file["version"]}"'},
            )
            assert answer.status_code == 200, answer.text
            file = answer.json()
            assert await _tokens(database, file["id"]) == made(name, place), change

    async def test_at_the_place_to_which_a_release_without_tokens_moved_a_child(
        self, database
    ) -> None:
        child = await a_child(database, VILLAGE, name="样小一")
        moved = replace(child, region_code=SIBLING)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET region_code = $1", SIBLING)
            await names.keep(tx, [(moved, "样小一")])
            rows = await tx.connection.fetch("SELECT region_code FROM child_names")
        assert [row["region_code"] for row in rows] == [SIBLING] * 6

    async def test_of_a_name_that_is_spelt_otherwise_now(self, database) -> None:
        child = await a_child(database, VILLAGE, name="样小一")
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("DELETE FROM child_names")
            await rederiving.rederive(tx, child.home_county)
        kept = await _tokens(database, str(child.id))
        assert kept == {*names.made(database.keyring, VILLAGE, tokens.kept("样小一"))}


class TestRefuses:
    @pytest.mark.parametrize(
        ("wanted", "field"),
        [
            ({"name": "样", "match": "prefix"}, "name"),
            ({"name": "一", "match": "suffix"}, "name"),
            ({"name": "样", "match": "infix"}, "name"),
            ({"pinyin": "yang"}, "pinyin"),
            ({"name": "样", "match": "prefix", "pinyin": "yang"}, "pinyin"),
        ],
    )
    async def test_less_than_a_token_s_worth(
        self, wanted, field, open_file, client, database, settings
    ) -> None:
        county = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
        child = (await open_file(county)).json()["id"]
        answer = await client.post("/v1/children/search", json=wanted, headers=county.headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/search-too-broad")
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (f"#/{field}", f"{field}_too_short")
        for narrower in ({"birth_date": "2016-03-01"}, {"region_code": f"{TOWNSHIP}"}):
            assert await _ask(client, county, **wanted, **narrower) == [child]

    async def test_more_than_can_be_asked_of_so_many_counties(
        self, open_file, client, database, settings, monkeypatch
    ) -> None:
        monkeypatch.setattr(search, "MOST_TOKENS", 20)
        nation = await a_caller(database, settings, "civil_affairs", 0, machine=False)
        near = (await open_file(nation)).json()["id"]
        far = await a_child(database, OTHER_COUNTY_VILLAGE, name="样小一")
        wanted = {"pinyin": "yangx"}
        answer = await client.post("/v1/children/search", json=wanted, headers=nation.headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/search-too-broad")
        assert answer.json()["errors"][0]["code"] == "region_needed"
        assert await _ask(client, nation, **wanted, region_code=f"{COUNTY}") == [near]
        assert await _ask(client, nation, pinyin="yangxiaoyi") == [str(far.id), near]


class TestSealsWhatWasBefore:
    async def test_children_are_found_before_meanwhile_and_after(
        self, app, live_database, database_urls, settings, now, monkeypatch
    ) -> None:
        database = live_database
        monkeypatch.setattr(names, "BATCH", 7)
        for name in NAMES:
            for place in PLACES:
                await a_child(database, place, name=name, in_plain=True)
        await _as_before(database, database_urls.owner, now - former.FOR_THE_LATE)
        async with calling(app, settings, database) as client:
            await _finds_all(client, database, settings)
            async with database.begin(SYSTEM) as tx:
                assert await names.seal(tx, COUNTY, UUID(int=0)) is not None
            assert await _in_plain(database) == len(NAMES) * len(PLACES) - 7
            await _finds_all(client, database, settings)
            assert (await _sealed_at_night(database)).count("children.seal_names_of_county") == (
                (len(NAMES) * 3 - 7) // 7 + 1 + 2 * (len(NAMES) // 7 + 1)
            )
            assert await _in_plain(database) == 0
            assert await _sealed_at_night(database) == ["children.seal_names"]
            await _finds_all(client, database, settings)
        for child, name, lives_in in await _living(database):
            made = names.made(database.keyring, lives_in, tokens.kept(name))
            assert await _tokens(database, child) == {*made}
        async with database.begin(SYSTEM) as tx:
            assert await parts(tx.connection) == {former.FINDINGS, former.SITUATIONS}

    async def test_a_name_that_is_changed_meanwhile_is_sealed_as_it_is_then(
        self, live_database, database_urls, now
    ) -> None:
        """Else the tokens of the old one are left behind, and whoever has that finds the child."""
        database = live_database
        child = await a_child(database, VILLAGE, name="样小一", in_plain=True)
        await _as_before(database, database_urls.owner, now - former.LATER)

        async def seal() -> UUID | None:
            async with database.begin(SYSTEM) as tx:
                return await names.seal(tx, COUNTY, UUID(int=0))

        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE children SET name = '曾小一'")
            sealing_it = asyncio.ensure_future(seal())
            await all_waiting(database, [sealing_it], 1)
            await names.keep(tx, [(child, "曾小一")])
        assert await sealing_it is None
        made = names.made(database.keyring, VILLAGE, tokens.kept("曾小一"))
        assert await _tokens(database, str(child.id)) == {*made}
        assert [name for _, name, _ in await _living(database)] == ["曾小一"]

    async def test_not_while_the_release_before_may_run_which_finds_what_is_written_now(
        self, live_database, database_urls, now, monkeypatch
    ) -> None:
        database = live_database
        just = now - former.LATER + timedelta(seconds=1)
        await _as_before(database, database_urls.owner, just)
        await a_child(database, VILLAGE, name="曾小一")
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow("SELECT * FROM children")
        assert {name: row[name] for name in naming.spell("")} == naming.spell("曾小一")
        assert row["name"] == "曾小一"
        assert await _sealed_at_night(database) == ["children.seal_names"]
        assert await _in_plain(database) == 1
        monkeypatch.setattr(database, "clock", lambda: now + timedelta(seconds=1))
        await a_child(database, VILLAGE, name="样小一")
        assert await _in_plain(database) == 1
        await _sealed_at_night(database)
        assert await _in_plain(database) == 0

    async def test_what_lies_in_the_clear_is_sealed_under_its_key(
        self, live_database, database_urls, now
    ) -> None:
        database = live_database
        await left(database_urls.owner, now - former.LATER, former.NAMES)
        child = await a_child(database, VILLAGE, name="样小一", in_plain=True)
        await _sealed_at_night(database)
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow("SELECT * FROM children")
            await keys.of_rows(tx, [row])
            assert sealing.named(tx.keyring, row) == ("样小一", "yangxiaoyi")
        assert {name: row[name] for name in naming.BLANK} == naming.BLANK
        index = sealing.name_index(database.keyring, "样小一", row["birth_date"])
        assert (row["id"], row["name_index"]) == (child.id, index)

    async def test_a_file_that_cannot_be_unsealed_keeps_its_name(
        self, live_database, database_urls, now
    ) -> None:
        database = live_database
        await left(database_urls.owner, now - former.LATER)
        torn = await a_child(database, VILLAGE, name="样小一", in_plain=True, identity_sealed=b"-")
        await a_child(database, VILLAGE, name="样小二", in_plain=True)
        await _sealed_at_night(database)
        async with database.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch("SELECT id, name FROM children WHERE name > ''")
            assert former.NAMES in await parts(tx.connection), "it is not done"
        assert [*map(tuple, rows)] == [(torn.id, "样小一")]


async def _in_plain(database: Database) -> int:
    async with database.begin(SYSTEM) as tx:
        in_plain: int = await tx.connection.fetchval(
            "SELECT count(*) FROM children WHERE name > ''"
        )
    return in_plain


async def _sealed_at_night(database: Database) -> list[str]:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.seal_names", [{}])
    return await run_jobs(database)


async def _as_before(database: Database, owner: str, since: datetime) -> None:
    """Leave children as a release without tokens did, and a migration after it."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM child_names")
    await left(owner, since)
