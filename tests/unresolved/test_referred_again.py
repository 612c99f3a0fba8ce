"""What was referred and is sent again once the offices have answered is answered plainly."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.factories import RESIDENT_ID, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import OTHER_COUNTY_VILLAGE, count, listed


@pytest.fixture
def answered(client, county, other_county, act):
    """Let both offices answer the same."""

    async def answers(said: str) -> None:
        for office in (county, other_county):
            (item,) = await listed(client, office, "?state=open&kind=referral")
            answer = await act(office, item["id"], "answer", answer=said, words="已核实")
            assert answer.status_code == 200, answer.text

    return answers


@pytest.fixture
def again(client, director, refused):
    async def send(**fields):
        body = {name: refused[name] for name in refused if name != "referral_id"}
        return await client.post("/v1/children", json=body | fields, headers=director.headers)

    return send


async def test_one_child_has_its_file_elsewhere(
    director, client, elsewhere, refused, answered, again
) -> None:
    assert (await again()).status_code == 202
    await answered("same_child")
    for _ in range(2):
        answer = await again()
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/answered-already")
        assert answer.headers["location"] == f"/v1/unresolved/{refused['referral_id']}"
        assert elsewhere not in answer.text
    (read,) = await listed(client, director)
    assert (read["id"], read["state"]) == (refused["referral_id"], "answered")


async def test_other_facts_are_another_question(client, county, refused, answered, again) -> None:
    await answered("same_child")
    address = {**refused["residence"], "address": "新址"}
    asked = await again(residence=address)
    assert asked.status_code == 202, asked.text
    assert asked.json()["referral_id"] != refused["referral_id"]


async def test_opened_and_moved_away_it_is_answered_as_it_was_opened(
    client, database, settings, elsewhere, refused, answered, again
) -> None:
    await answered("another_child")
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    read = await client.get(f"/v1/children/{refused['id']}", headers=province.headers)
    moved = await client.patch(
        f"/v1/children/{refused['id']}",
        json={"residence": {"region_code": f"{OTHER_COUNTY_VILLAGE}"}},
        headers={**province.headers, "if-match": read.headers["etag"]},
    )
    assert moved.status_code == 200, moved.text
    answer = await again()
    assert (answer.status_code, answer.json()["id"]) == (200, refused["id"])
    assert answer.json()["identity"]["resident_id"] is None, "it was set aside"
    assert answer.json()["residence"]["region_code"] == f"{VILLAGE}"


async def test_a_number_that_is_anothers_stays_so(
    client, database, director, elsewhere, answered
) -> None:
    identity = {**a_file(VILLAGE)["identity"], "resident_id": None}
    opened = await client.post(
        "/v1/children", json=a_file(VILLAGE, identity=identity), headers=director.headers
    )

    async def change():
        return await client.patch(
            f"/v1/children/{opened.json()['id']}",
            json={"identity": {"resident_id": RESIDENT_ID}},
            headers={**director.headers, "if-match": '"1"'},
        )

    first = await change()
    assert first.status_code == 202, first.text
    await run_jobs(database)
    await answered("another_child")
    answer = await change()
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/answered-already")
    assert answer.headers["location"] == first.headers["location"]


async def test_an_id_that_another_phone_took_meanwhile_keeps_no_child_from_its_file(
    client, database, settings, director, refused, answered, again
) -> None:
    identity = {**a_file(VILLAGE)["identity"], "name": "样小三", "resident_id": None}
    neighbour = await a_caller(database, settings, "village_director", VILLAGE + 1)
    taken = await client.post(
        "/v1/children",
        json=a_file(VILLAGE + 1, id=refused["id"], identity=identity),
        headers=neighbour.headers,
    )
    assert taken.status_code == 201, taken.text
    await answered("another_child")
    (asked,) = await listed(client, director)
    assert asked["file_opened"] == "number_set_aside"
    async with database.begin(SYSTEM) as tx:
        opened = await tx.connection.fetchval(
            "SELECT child_id FROM duplicate_referrals WHERE id = $1", refused["referral_id"]
        )
    assert str(opened) != refused["id"]
    file = await client.get(f"/v1/children/{opened}", headers=director.headers)
    assert file.json()["identity"]["name"] == refused["identity"]["name"]


async def test_its_sender_opened_it_meanwhile_with_another_number(
    database, refused, answered, again
) -> None:
    identity = {**refused["identity"], "resident_id": None}
    assert (await again(identity=identity)).status_code == 201
    await answered("another_child")
    assert (await again(identity=identity)).status_code == 200
    assert await count(database, "children") == 2, "it and the one elsewhere"
