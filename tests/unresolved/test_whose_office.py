"""Which office answers of two files: that of the place where each lives now, or the next above."""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import COUNTY, OTHER_COUNTY, OTHER_COUNTY_VILLAGE, listed, tick
from tests.visits.factories import a_visit

PROVINCE = 120000000000
THIRD_COUNTY, THIRD_COUNTY_VILLAGE = 120117000000, 120117101201


@pytest.fixture(autouse=True)
async def third(database, places) -> None:
    await some_regions(database, THIRD_COUNTY_VILLAGE)


@pytest.fixture
async def third_county(database, settings):
    return await a_caller(database, settings, "civil_affairs", THIRD_COUNTY)


@pytest.fixture
async def province(database, settings):
    return await a_caller(database, settings, "civil_affairs", PROVINCE)


@pytest.fixture
def move(client, database, province):
    """Let the province move a file."""

    async def moves(child_id: str, village: int) -> None:
        read = await client.get(f"/v1/children/{child_id}", headers=province.headers)
        moved = await client.patch(
            f"/v1/children/{child_id}",
            json={"residence": {"region_code": f"{village}"}},
            headers={**province.headers, "if-match": read.headers["etag"]},
        )
        assert moved.status_code == 200, moved.text
        await run_jobs(database)

    return moves


async def owed(client, office) -> list[tuple[str, str]]:
    """What an office owes an answer to, and how that stands."""
    answer = await client.get("/v1/duties", headers=office.headers)
    return [
        (duty["subject_id"], duty["state"])
        for duty in answer.json()["items"]
        if duty["rule"] == "REG-12"
    ]


async def open_ones(client, office):
    return await listed(client, office, "?state=open&kind=referral")


class TestMoved:
    async def test_the_office_of_its_place_now_owes_the_answer(
        self, client, county, other_county, third_county, elsewhere, refused, move, act
    ) -> None:
        (asked,) = await open_ones(client, other_county)
        await move(elsewhere, THIRD_COUNTY_VILLAGE)
        assert await open_ones(client, other_county) == []
        assert await owed(client, other_county) == [(asked["id"], "cancelled")]
        (now,) = await open_ones(client, third_county)
        assert (now["child_id"], now["due_at"]) == (elsewhere, asked["due_at"])
        assert now["owner"]["agency_id"] == str(third_county.agency_id)
        assert await owed(client, third_county) == [(now["id"], "open")]
        gone = await act(other_county, now["id"], "answer", answer="same_child", words="是")
        assert gone.status_code == 404
        for office, item in ((county, refused["referral_id"]), (third_county, now["id"])):
            answer = await act(office, item, "answer", answer="same_child", words="是")
        assert answer.json()["state"] == "answered"

    async def test_there_and_back_it_is_owed_there_again(
        self, client, database, other_county, third_county, elsewhere, refused, move, now
    ) -> None:
        await move(elsewhere, THIRD_COUNTY_VILLAGE)
        database.clock = lambda: now + timedelta(seconds=1)
        await move(elsewhere, OTHER_COUNTY_VILLAGE)
        (asked,) = await open_ones(client, other_county)
        assert await owed(client, other_county) == [(asked["id"], "open")]
        assert await owed(client, third_county) == [(asked["id"], "cancelled")]
        assert refused

    async def test_what_the_former_office_has_answered_stands(
        self, client, county, other_county, third_county, elsewhere, refused, move, act
    ) -> None:
        (asked,) = await open_ones(client, other_county)
        await act(other_county, asked["id"], "answer", answer="same_child", words="是")
        await move(elsewhere, THIRD_COUNTY_VILLAGE)
        (now,) = await open_ones(client, third_county)
        assert [each["office"] for each in now["answers"]] == ["yours"]
        answer = await act(
            county, refused["referral_id"], "answer", answer="same_child", words="是"
        )
        assert answer.json()["state"] == "answered"

    async def test_into_the_own_county_one_office_answers(
        self, client, database, county, other_county, elsewhere, refused, move, act
    ) -> None:
        (theirs,) = await open_ones(client, other_county)
        await move(elsewhere, VILLAGE + 1)
        assert await open_ones(client, other_county) == []
        assert await owed(client, other_county) == [(theirs["id"], "discharged")]
        (ours,) = await open_ones(client, county)
        assert (ours["id"], ours["other_child_id"]) == (refused["referral_id"], elsewhere)
        async with database.begin(SYSTEM) as tx:
            seen = "SELECT child_ids::text FROM audit_entries WHERE operation = 'listUnresolved'"
            assert elsewhere in (await tx.connection.fetch(f"{seen} ORDER BY id DESC"))[0][0]
        assert ours["owner"]["answers_alone"] is True
        answer = await act(county, ours["id"], "answer", answer="same_child", words="是")
        assert answer.json()["state"] == "answered"

    async def test_into_the_own_county_what_was_answered_settles_it(
        self, client, county, elsewhere, refused, move, act
    ) -> None:
        await act(county, refused["referral_id"], "answer", answer="another_child", words="否")
        await move(elsewhere, VILLAGE + 1)
        (ours,) = await listed(client, county, "?state=answered")
        assert (ours["state"], ours["file_opened"]) == ("answered", "number_set_aside")
        assert ours["settled_by"] == f"staff:{county.subject_id}"

    async def test_out_of_the_own_county_the_other_office_is_asked_too(
        self, client, database, director, neighbour, county, other_county, move, act
    ) -> None:
        theirs = await client.post(
            "/v1/children", json=a_file(VILLAGE + 1), headers=neighbour.headers
        )
        body = a_file(VILLAGE, id=str(new_id()))
        await client.post("/v1/children", json=body, headers=director.headers)
        await run_jobs(database)
        await move(theirs.json()["id"], OTHER_COUNTY_VILLAGE)
        (ours,) = await open_ones(client, county)
        assert (ours["other_child_id"], ours["owner"]["answers_alone"]) == (None, False)
        (asked,) = await open_ones(client, other_county)
        assert (asked["child_id"], asked["id"] != ours["id"]) == (theirs.json()["id"], True)
        assert await owed(client, other_county) == [(asked["id"], "open")]
        first = await act(county, ours["id"], "answer", answer="same_child", words="是")
        assert first.json()["state"] == "open"
        second = await act(other_county, asked["id"], "answer", answer="same_child", words="是")
        assert second.json()["state"] == "answered"

    async def test_so_does_the_office_of_the_file_that_was_to_be_changed(
        self, client, database, director, county, third_county, elsewhere, move
    ) -> None:
        resident = a_file(VILLAGE)["identity"]["resident_id"]
        unnumbered = {**a_file(VILLAGE)["identity"], "resident_id": None}
        opened = await client.post(
            "/v1/children", json=a_file(VILLAGE, identity=unnumbered), headers=director.headers
        )
        asked = await client.patch(
            f"/v1/children/{opened.json()['id']}",
            json={"identity": {"resident_id": resident}},
            headers={**director.headers, "if-match": '"1"'},
        )
        assert asked.status_code == 202, asked.text
        await run_jobs(database)
        await move(opened.json()["id"], THIRD_COUNTY_VILLAGE)
        assert await open_ones(client, county) == []
        (now,) = await open_ones(client, third_county)
        assert now["id"] == asked.json()["referral_id"]
        read = await client.get(f"/v1/unresolved/{now['id']}", headers=third_county.headers)
        assert read.json()["evidence"][0]["sent"]["identity"]["resident_id"] == resident
        assert await owed(client, county) == [(now["id"], "cancelled")]
        assert await owed(client, third_county) == [(now["id"], "open")]
        assert elsewhere


class TestOneAgencyOfBothPlaces:
    """Somebody of the province's own agency in a post for each county."""

    @pytest.fixture
    async def people(self, database, settings, province):
        return [
            await a_caller(database, settings, "civil_affairs", place, agency_id=province.agency_id)
            for place in (COUNTY, OTHER_COUNTY)
        ]

    async def test_answers_for_no_county_that_has_an_office(
        self, client, county, other_county, people, refused, act
    ) -> None:
        for person, office in zip(people, (county, other_county), strict=True):
            (item,) = await open_ones(client, person)
            assert item["owner"]["agency_id"] == str(office.agency_id)
            assert item["owner"]["answers_alone"] is False
            assert item["permitted"] == []
            answer = await act(person, item["id"], "answer", answer="same_child", words="是")
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/office-answers")
            assert await listed(client, person, "?permitted=answerUnresolved") == []
        assert refused

    async def test_where_no_county_has_one_it_is_both_and_answers_once(
        self, client, database, director, elsewhere, people, province, act
    ) -> None:
        body = a_file(VILLAGE, id=str(new_id()))
        sent = await client.post("/v1/children", json=body, headers=director.headers)
        assert sent.status_code == 202, sent.text
        await run_jobs(database)
        (item,) = await open_ones(client, province)
        assert item["owner"]["agency_id"] == str(province.agency_id)
        assert item["owner"]["answers_alone"] is True
        assert item["other_child_id"] == elsewhere
        assert item["permitted"] == ["answerUnresolved"]
        assert (await owed(client, province)) == [(item["id"], "open")]
        answer = await act(people[0], item["id"], "answer", answer="same_child", words="是")
        assert answer.json()["state"] == "answered"

    async def test_that_became_both_answers_once(
        self, client, database, county, other_county, province, refused, act
    ) -> None:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE agencies SET active = false WHERE id = ANY ($1)",
                [county.agency_id, other_county.agency_id],
            )
        answer = await act(
            province, refused["referral_id"], "answer", answer="same_child", words="是"
        )
        assert answer.json()["state"] == "answered"
        assert await open_ones(client, province) == []


async def test_of_a_county_without_an_office_the_next_above_answers(
    client, county, province, refused, act
) -> None:
    for office, answered in ((county, "open"), (province, "answered")):
        (item,) = await listed(client, office, "?state=open&permitted=answerUnresolved")
        assert item["owner"]["agency_id"] == str(office.agency_id)
        answer = await act(office, item["id"], "answer", answer="same_child", words="是")
        assert answer.json()["state"] == answered
    assert refused


async def test_of_two_offices_of_a_place_either_answers(
    client, database, settings, county, other_county, refused, act
) -> None:
    second = await a_caller(database, settings, "civil_affairs", COUNTY)
    (item,) = await listed(client, second, "?permitted=answerUnresolved")
    assert item["owner"]["agency_id"] == str(county.agency_id), "the one that was there first"
    for office in (second, other_county):
        (item,) = await open_ones(client, office)
        answer = await act(office, item["id"], "answer", answer="same_child", words="是")
    assert answer.json()["state"] == "answered"
    assert refused


class TestNoOtherOffice:
    """What one office says stands alone where there is no other, nor any above, to ask."""

    async def test_two_children_the_file_is_opened_and_takes_what_waited(
        self, client, database, director, county, refused, act
    ) -> None:
        visit = a_visit(refused["id"])
        assert (await client.post("/v1/visits", json=visit, headers=director.headers)).is_success
        item = refused["referral_id"]
        answer = await act(county, item, "answer", answer="another_child", words="两名儿童")
        assert answer.json()["state"] == "answered", answer.text
        await run_jobs(database)
        assert await owed(client, county) == [(item, "discharged")]
        for path in (f"children/{refused['id']}", f"visits/{visit['id']}"):
            read = await client.get(f"/v1/{path}", headers=director.headers)
            assert read.status_code == 200, read.text

    async def test_the_place_without_an_office_may_be_the_own(
        self, client, director, other_county, refused, act
    ) -> None:
        (item,) = await open_ones(client, other_county)
        answer = await act(other_county, item["id"], "answer", answer="another_child", words="否")
        assert answer.json()["state"] == "answered"
        read = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert read.status_code == 200, read.text

    async def test_an_office_that_appears_first_is_asked(
        self, client, database, settings, county, refused, act
    ) -> None:
        late = await a_caller(database, settings, "civil_affairs", OTHER_COUNTY)
        (theirs,) = await open_ones(client, late)
        assert await owed(client, late) == [(theirs["id"], "open")]
        for office, item, state in (
            (county, refused["referral_id"], "open"),
            (late, theirs["id"], "answered"),
        ):
            answer = await act(office, item, "answer", answer="another_child", words="两名儿童")
            assert answer.json()["state"] == state

    async def test_it_closes_before_it_answers(
        self, client, database, director, county, other_county, refused, act
    ) -> None:
        item = refused["referral_id"]
        answer = await act(county, item, "answer", answer="another_child", words="两名儿童")
        assert answer.json()["state"] == "open"
        await tick(database, "unresolved.ask_again")
        assert len(await open_ones(client, county)) == 1, "the other office is there still"
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE agencies SET active = false WHERE id = $1", other_county.agency_id
            )
        await tick(database, "unresolved.ask_again")
        assert await open_ones(client, county) == []
        assert await owed(client, county) == [(item, "discharged")]
        read = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert read.status_code == 200, read.text
