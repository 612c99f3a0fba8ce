"""A file sent again is the file it opened, or that it was refused for, whoever sees that by now."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller, a_new_post
from tests.children.conftest import OTHER_COUNTY_VILLAGE, OTHER_TOWNSHIP_VILLAGE, SIBLING, VILLAGE
from tests.children.factories import a_file
from tests.jobs import run_jobs

COUNTY = 120119000000
LEFT_ON = date(2026, 11, 19)


@pytest.fixture
async def move(client, database, settings):
    """Let the county move a file to another village."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)

    async def moves(child_id: str, region_code: int = OTHER_TOWNSHIP_VILLAGE) -> None:
        read = await client.get(f"/v1/children/{child_id}", headers=county.headers)
        moved = await client.patch(
            f"/v1/children/{child_id}",
            json={"residence": {"region_code": str(region_code)}},
            headers={**county.headers, "if-match": read.headers["etag"]},
        )
        assert moved.status_code == 200, moved.text

    return moves


async def _referrals(database) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval("SELECT count(*) FROM duplicate_referrals")


async def test_after_the_child_has_moved_it_is_the_first_answer(
    open_file, client, database, director, move
) -> None:
    chosen = str(new_id())
    first = await open_file(director, id=chosen)
    await move(chosen)
    again = await open_file(director, id=chosen)
    assert (again.status_code, {**again.json(), "permitted": None}) == (
        200,
        {**first.json(), "permitted": None},
    )
    assert again.json()["permitted"] == []
    assert await _referrals(database) == 0
    hidden = await client.get(f"/v1/children/{chosen}", headers=director.headers)
    assert hidden.status_code == 404


async def test_what_others_made_of_it_is_not_told(
    open_file, client, database, settings, director, move
) -> None:
    chosen = str(new_id())
    await open_file(director, id=chosen)
    await move(chosen)
    theirs = await a_caller(database, settings, "village_director", OTHER_TOWNSHIP_VILLAGE)
    changed = await client.patch(
        f"/v1/children/{chosen}",
        json={"health": {"notes": "新的情况"}},
        headers={**theirs.headers, "if-match": '"2"'},
    )
    assert changed.status_code == 200, changed.text
    again = await open_file(director, id=chosen)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert "新的情况" not in again.text


async def test_other_content_under_its_id_is_referred(open_file, database, director, move) -> None:
    chosen = str(new_id())
    await open_file(director, id=chosen)
    await move(chosen)
    other = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
    answer = await open_file(director, id=chosen, identity=other)
    assert (answer.status_code, await _referrals(database)) == (202, 1)


async def test_to_another_agency_it_is_unknown(
    open_file, database, settings, director, move
) -> None:
    chosen = str(new_id())
    await open_file(director, id=chosen)
    await move(chosen)
    stranger = await a_caller(database, settings, "village_director", VILLAGE)
    answer = await open_file(stranger, id=chosen)
    assert (answer.status_code, "样" in answer.text) == (202, False)


@pytest.mark.parametrize("numbered", [True, False])
async def test_refused_for_a_file_that_has_moved_it_is_sent_there_again(
    open_file, database, director, move, numbered
) -> None:
    identity = a_file(VILLAGE)["identity"]
    identity = identity if numbered else {**identity, "resident_id": None}
    file = (await open_file(director, identity=identity)).json()["id"]
    chosen = str(new_id())
    first = await open_file(director, id=chosen, identity=identity)
    await move(file)
    again = await open_file(director, id=chosen, identity=identity)
    for answer in (first, again):
        assert (answer.status_code, answer.headers["location"]) == (409, f"/v1/children/{file}")
    assert again.json()["errors"] == first.json()["errors"]
    assert await _referrals(database) == 0
    other = {**identity, "name": "样小二", "resident_id": None}
    opened = await open_file(director, id=chosen, identity=other)
    assert opened.status_code == 201, "another child after all"


class TestOpenedOfflineInAFormerPost:
    @pytest.fixture
    async def transferred(self, database, settings, director):
        return await a_new_post(
            database, settings, director, "village_director", OTHER_TOWNSHIP_VILLAGE, LEFT_ON
        )

    async def test_it_is_opened_where_it_belongs(
        self, open_file, client, director, transferred, township
    ) -> None:
        chosen = str(new_id())
        first = await open_file(transferred, id=chosen, recorded_at="2026-11-18T09:00:00+08:00")
        assert (first.status_code, first.json()["id"]) == (201, chosen)
        read = await client.get(f"/v1/children/{chosen}", headers=township.headers)
        assert read.json()["residence"]["region_code"] == str(VILLAGE)
        history = await client.get(f"/v1/children/{chosen}/history", headers=township.headers)
        assert history.json()["items"][0]["agency_id"] == str(director.agency_id)
        hidden = await client.get(f"/v1/children/{chosen}", headers=transferred.headers)
        assert hidden.status_code == 404
        again = await open_file(transferred, id=chosen, recorded_at="2026-11-18T09:00:00+08:00")
        assert (again.status_code, again.json()) == (200, first.json())

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ({}, False),
            ({"recorded_at": "2026-11-18T23:59:59+08:00"}, False),
            ({"recorded_at": "2026-11-19T00:00:00+08:00"}, True),
            ({"recorded_at": "2026-11-20T08:00:00+08:00"}, True),
            ({"recorded_at": "2026-11-21T08:00:00+08:00"}, True),
            ({"recorded_at": "1970-01-01T00:00:00Z"}, False),  # since ever, as far as is known
            ({"recorded_at": "2027-03-01T00:00:00+08:00"}, True),
        ],
    )
    async def test_whatever_its_clock_says(self, open_file, transferred, said, told) -> None:
        """A clock that says a day on which the post was not held is told."""
        answer = await open_file(transferred, id=str(new_id()), **said)
        assert answer.status_code == 201, answer.text
        assert ("recorded_at" in (answer.json()["as_sent"] or {})) == told

    async def test_not_years_later_without_a_day(
        self, open_file, database, settings, director
    ) -> None:
        long_gone = await a_new_post(
            database,
            settings,
            director,
            "village_director",
            OTHER_TOWNSHIP_VILLAGE,
            date(2025, 11, 19),
        )
        for said in ({}, {"recorded_at": "2026-11-19T08:00:00+08:00"}):
            answer = await open_file(long_gone, id=str(new_id()), **said)
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/outside-remit")

    async def test_of_a_place_that_was_never_theirs(self, open_file, transferred) -> None:
        answer = await open_file(transferred, SIBLING, id=str(new_id()))
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/outside-remit")

    async def test_opened_before_the_transfer_and_sent_again(
        self, open_file, database, settings, director
    ) -> None:
        chosen = str(new_id())
        first = await open_file(director, id=chosen)
        transferred = await a_new_post(
            database, settings, director, "village_director", OTHER_TOWNSHIP_VILLAGE, LEFT_ON
        )
        again = await open_file(transferred, id=chosen)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])

    async def test_a_child_that_has_a_file_there_is_referred_and_not_shown(
        self, open_file, transferred, township
    ) -> None:
        there = (await open_file(township)).json()["id"]
        answer = await open_file(transferred, id=str(new_id()))
        assert (answer.status_code, there in answer.text) == (202, False)


async def test_under_its_key_from_a_new_county_it_is_the_first_answer(
    client, database, settings, director
) -> None:
    body, key = a_file(VILLAGE, id=str(new_id())), {"idempotency-key": "phone-1"}

    async def send(caller, **more):
        headers = {**caller.headers, **more}
        return await client.post("/v1/children", json=body, headers=headers)

    first = await send(director, **key)
    assert first.status_code == 201
    transferred = await a_new_post(
        database, settings, director, "village_director", OTHER_COUNTY_VILLAGE, LEFT_ON
    )
    again = await send(transferred, **key)
    assert (again.status_code, again.content) == (201, first.content)
    assert (await send(transferred)).status_code == 200


class TestAnAliasGivesWayToAFile:
    """What a phone called another child is nothing but the file that is opened under it."""

    @pytest.fixture
    async def alias(self, open_file, director) -> str:
        file = await open_file(director)
        chosen = str(new_id())
        answer = await open_file(director, id=chosen)
        assert answer.headers["location"] == f"/v1/children/{file.json()['id']}"
        return chosen

    async def test_at_once_and_whoever_opens_it(
        self, open_file, client, database, settings, director, alias
    ) -> None:
        assert (
            await client.get(f"/v1/children/{alias}", headers=director.headers)
        ).status_code == 200
        stranger = await a_caller(database, settings, "village_director", OTHER_TOWNSHIP_VILLAGE)
        other = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
        opened = await open_file(stranger, OTHER_TOWNSHIP_VILLAGE, id=alias, identity=other)
        assert opened.status_code == 201, opened.text
        read = await client.get(f"/v1/children/{alias}", headers=director.headers)
        assert read.status_code == 404, "no other child hides behind it"
        await run_jobs(database)
        again = await open_file(director, id=alias)
        assert again.status_code == 409, "the number is still that of the first file"
        read = await client.get(f"/v1/children/{alias}", headers=director.headers)
        assert read.status_code == 404, "nor takes it over"

    async def test_not_if_the_file_could_not_be_opened(
        self, open_file, client, director, alias
    ) -> None:
        future = {**a_file(VILLAGE)["identity"], "birth_date": "2099-01-01", "resident_id": None}
        refused = await open_file(director, id=alias, identity=future)
        assert refused.status_code == 422
        read = await client.get(f"/v1/children/{alias}", headers=director.headers)
        assert read.status_code == 200
