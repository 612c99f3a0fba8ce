"""Who tries resident numbers learns of none that another file has, and keeps none from it."""

from typing import Any
from uuid import UUID

import pytest

from app.children import alike, numbers
from app.core.data.db import SYSTEM
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_file, with_check_digit
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

COUNTY, OTHER_COUNTY, OTHER_VILLAGE = 120119000000, 120118000000, 120118101201
HAD, FREE = with_check_digit("12000020160301902"), with_check_digit("12000020160301904")
OF_ITS_OWN = {"id", "created_at", "updated_at", "request_id"}


def named(name: str, number: str | None, region: int = VILLAGE) -> dict[str, Any]:
    body = a_file(region)
    body.pop("external", None)
    body["identity"] |= {"name": name, "resident_id": number}
    return body


@pytest.fixture
async def stranger(client, database, settings) -> Caller:
    """Somebody of another county, whose child's file has the number."""
    caller = await a_caller(database, settings, "village_director", OTHER_VILLAGE)
    body = named("样小童", HAD, OTHER_VILLAGE)
    answer = await client.post("/v1/children", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    return caller


def seen_of(answer: Any, *own: str) -> tuple[Any, ...]:
    """All that an answer tells, but for what is new in each."""
    body = {name: said for name, said in answer.json().items() if name not in OF_ITS_OWN}
    headers = {
        name: said
        for name, said in answer.headers.items()
        if name not in {"x-request-id", "location", "ratelimit"}
    }
    said = str(body)
    for each in own:
        said = said.replace(each, "…")
    return answer.status_code, said, headers


async def test_a_file_is_opened_alike_whether_or_not_another_has_its_number(
    client, director, stranger, queries
) -> None:
    told = []
    for name, number in (("样小仪", FREE), ("样小艺", HAD)):  # spelt alike
        queries.clear()
        body = named(name, number)
        answer = await client.post("/v1/children", json=body, headers=director.headers)
        asked = [each.split()[:4] for each in queries.statements]
        told.append((seen_of(answer, number, name), asked))
        assert answer.status_code == 201, answer.text
        assert answer.json()["identity"]["resident_id"] == number
    assert told[0] == told[1]


async def test_a_file_is_changed_alike_and_found_alike(client, director, stranger, queries) -> None:
    told = []
    for name, number in (("样小甲", FREE), ("样小乙", HAD)):
        opened = await client.post("/v1/children", json=named(name, None), headers=director.headers)
        path = f"/v1/children/{opened.json()['id']}"
        queries.clear()
        change = {"identity": {"resident_id": number}}
        headers = {**director.headers, "if-match": '"1"'}
        answer = await client.patch(path, json=change, headers=headers)
        asked = [each.split()[:4] for each in queries.statements]
        found = await client.post(
            "/v1/children/search", json={"resident_id": number}, headers=director.headers
        )
        told.append((answer.status_code, answer.headers["etag"], asked, len(found.json()["items"])))
        assert answer.json()["identity"]["resident_id"] == number
    assert told[0] == told[1] == (200, '"2"', told[0][2], 1)


async def test_a_number_that_somebody_claimed_keeps_no_child_from_its_file(
    client, database, director, settings
) -> None:
    """Whoever guessed it by a change has not made it theirs: the child gets its file, and both
    offices are asked.
    """
    opened = await client.post("/v1/children", json=named("样小甲", None), headers=director.headers)
    mine = opened.json()["id"]
    headers = {**director.headers, "if-match": '"1"'}
    change = {"identity": {"resident_id": HAD}}
    await client.patch(f"/v1/children/{mine}", json=change, headers=headers)
    await run_jobs(database)
    other = await a_caller(database, settings, "village_director", OTHER_VILLAGE)
    body = named("样小童", HAD, OTHER_VILLAGE)
    answer = await client.post("/v1/children", json=body, headers=other.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        [row] = await tx.connection.fetch("SELECT * FROM duplicate_referrals")
        asked = await tx.connection.fetch("SELECT region_code FROM unresolved ORDER BY region_code")
    assert (row["reason"], row["submitted_by"]) == ("resident_id", other.claims["subject"])
    assert {row["child_id"], row["other_child_id"]} == {UUID(mine), UUID(answer.json()["id"])}
    assert [each["region_code"] for each in asked] == [OTHER_COUNTY, COUNTY]


async def test_they_are_asked_once(client, database, director, stranger) -> None:
    answer = await client.post("/v1/children", json=named("样小乙", HAD), headers=director.headers)
    await run_jobs(database)
    path = f"/v1/children/{answer.json()['id']}"
    headers = {**director.headers, "if-match": '"1"'}
    await client.patch(path, json={"identity": {"paper_file": "样-1"}}, headers=headers)
    await client.patch(path, json={"identity": {"name": "样小丙"}}, headers=headers)
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM duplicate_referrals") == 1


async def test_who_knows_the_name_too_is_sent_to_the_offices(client, director, stranger) -> None:
    """It is that child, and has a file: a second is not opened."""
    answer = await client.post("/v1/children", json=named("样小童", HAD), headers=director.headers)
    assert (answer.status_code, answer.json()["status"]) == (202, "referred")


async def test_who_names_many_is_told_of(client, database, settings, director, monkeypatch) -> None:
    monkeypatch.setattr(alike, "MANY", 2)
    other = await a_caller(database, settings, "village_director", OTHER_VILLAGE)
    office = await a_caller(database, settings, "civil_affairs", COUNTY)
    theirs = [with_check_digit(f"1200002016030190{last}") for last in (2, 4, 6)]
    for place, number in enumerate(theirs):
        for caller, name, region in ((other, "童", OTHER_VILLAGE), (director, "试", VILLAGE)):
            body = named(f"样小{name}{'甲乙丙'[place]}", number, region)
            answer = await client.post("/v1/children", json=body, headers=caller.headers)
            assert answer.status_code == 201, answer.text
            await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetch(
            "SELECT subject_id, told_to, data->>'alarm' AS alarm, data->>'counted' AS times"
            " FROM events WHERE wire_name = 'audit.alarm_raised' ORDER BY n"
        )
    assert [(each["subject_id"], each["alarm"], each["times"]) for each in told] == [
        (director.agency_id, "numbers_tried", "2"),
        (director.agency_id, "numbers_tried", "3"),
    ]
    assert all(str(office.agency_id) in each["told_to"] for each in told)


async def test_who_named_too_many_names_none_until_tomorrow(
    client, database, director, stranger, monkeypatch
) -> None:
    """Whether anybody has it or not; without a number they go on."""
    monkeypatch.setattr(numbers, "MOST_TRIED", 1)
    had = with_check_digit("12000020160301906")
    theirs = named("样小己", had, OTHER_VILLAGE)
    answer = await client.post("/v1/children", json=theirs, headers=stranger.headers)
    assert answer.status_code == 201, answer.text
    answer = await client.post("/v1/children", json=named("样小乙", HAD), headers=director.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    opened = await client.post("/v1/children", json=named("样小丙", None), headers=director.headers)
    assert opened.status_code == 201, opened.text
    path, headers = f"/v1/children/{opened.json()['id']}", {**director.headers, "if-match": '"1"'}
    for number in (had, FREE):
        sent = named("样小丁", number)
        made = await client.post("/v1/children", json=sent, headers=director.headers)
        changed = await client.patch(
            path, json={"identity": {"resident_id": number}}, headers=headers
        )
        for refused in (made, changed):
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "86400")
            assert refused.json()["type"] == "/problems/too-many-numbers"
