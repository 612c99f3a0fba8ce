"""Nobody drops a finding that they have not read, or alone, or by a machine."""

from uuid import uuid4

import pytest

from tests.access.factories import a_caller
from tests.unresolved.conftest import COUNTY, TOWNSHIP, listed
from tests.visits.factories import a_visit, something_wrong


async def _record(client, caller, body) -> str:
    answer = await client.post("/v1/visits", json=body, headers=caller.headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["unresolved_id"]


@pytest.fixture
async def mate(database, settings, township):
    return await a_caller(
        database, settings, "township_supervisor", TOWNSHIP, agency_id=township.agency_id
    )


async def test_what_was_added_since_it_was_read_is_read_first(client, director, township) -> None:
    unknown = uuid4()
    item = await _record(client, director, a_visit(unknown))
    read = await client.get(f"/v1/unresolved/{item}", headers=township.headers)
    headers = {**township.headers, "if-match": read.headers["etag"]}
    added = a_visit(unknown, findings=[something_wrong()])
    assert await _record(client, director, added) == item
    url = f"/v1/unresolved/{item}/dismissal"
    answer = await client.post(url, json={"words": "误报"}, headers=headers)
    assert answer.status_code == 412, answer.text
    assert await _record(client, director, added) == item
    (now,) = await listed(client, township)
    assert (now["state"], now["version"], now["abnormal"]) == ("open", 2, True)


async def test_an_abnormal_finding_by_two_people(client, director, township, mate, act) -> None:
    item = await _record(client, director, a_visit(uuid4(), findings=[something_wrong()]))
    first = await act(township, item, "dismissal", words="查无此人")
    assert (first.status_code, first.json()["state"]) == (200, "open")
    proposed = first.json()["dismissal_proposed"]
    assert (proposed["by"], proposed["words"]) == (f"staff:{township.subject_id}", "查无此人")
    assert "dismissUnresolved" not in first.json()["permitted"]
    assert await listed(client, township, "?permitted=dismissUnresolved") == []
    alone = await act(township, item, "dismissal", words="查无此人")
    assert (alone.status_code, alone.json()["type"]) == (409, "/problems/second-person-dismisses")
    assert [each["id"] for each in await listed(client, mate, "?permitted=dismissUnresolved")] == [
        item
    ]
    second = await act(mate, item, "dismissal", words="已核实")
    assert (second.json()["state"], second.json()["words"]) == ("dismissed", "已核实")
    assert second.json()["dismissal_proposed"]["words"] == "查无此人"


async def test_anything_new_withdraws_what_was_proposed(
    client, director, township, mate, act
) -> None:
    unknown = uuid4()
    item = await _record(client, director, a_visit(unknown, findings=[something_wrong()]))
    await act(township, item, "dismissal", words="查无此人")
    await _record(client, director, a_visit(unknown))
    answer = await act(mate, item, "dismissal", words="已核实")
    assert answer.json()["state"] == "open"
    assert answer.json()["dismissal_proposed"]["by"] == f"staff:{mate.subject_id}"


async def test_so_does_a_correction_of_whom_it_is_about(
    client, director, township, mate, act
) -> None:
    item = await _record(client, director, a_visit(uuid4(), findings=[something_wrong()]))
    await act(township, item, "dismissal", words="查无此人")
    corrected = await act(director, item, "correction", child_id=str(uuid4()))
    assert (corrected.json()["state"], corrected.json()["dismissal_proposed"]) == ("open", None)
    assert (await act(mate, item, "dismissal", words="已核实")).json()["state"] == "open"


async def test_a_question_joined_with_an_abnormal_one_is_one(
    client, director, township, act
) -> None:
    harmless, harmful = uuid4(), uuid4()
    item = await _record(client, director, a_visit(harmless))
    await _record(client, director, a_visit(harmful, findings=[something_wrong()]))
    joined = await act(director, item, "correction", child_id=str(harmful))
    assert (joined.json()["state"], joined.json()["abnormal"]) == ("open", True)
    assert (await act(township, item, "dismissal", words="误报")).json()["state"] == "open"


async def test_not_by_a_machine(client, database, settings, director, act) -> None:
    item = await _record(client, director, a_visit(uuid4()))
    machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    answer = await act(machine, item, "dismissal", words="自动")
    assert (answer.status_code, answer.json()["type"]) == (
        403,
        "/problems/person-required",
    )
    assert await listed(client, machine, "?permitted=dismissUnresolved") == []
