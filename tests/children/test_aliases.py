"""An id that a phone made for a file that existed is another name of it, for its agency."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from app.children import duplicates
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.children.conftest import SIBLING, VILLAGE
from tests.children.factories import a_child, a_file, moved
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.visits.factories import a_visit


@pytest.fixture
async def file(open_file, director) -> dict:
    return (await open_file(director)).json()


@pytest.fixture
async def alias(open_file, director, file) -> str:
    """What the phone called the child, before it was answered 409."""
    chosen = str(new_id())
    answer = await open_file(director, id=chosen)
    assert (answer.status_code, answer.headers["location"]) == (
        409,
        f"/v1/children/{file['id']}",
    )
    return chosen


async def test_the_file_is_read_under_it_with_its_own_id(client, director, file, alias) -> None:
    answer = await client.get(f"/v1/children/{alias}", headers=director.headers)
    assert (answer.status_code, answer.json()) == (200, file)
    assert answer.headers["content-location"] == f"/v1/children/{file['id']}"
    assert answer.headers["etag"] == '"1"'


async def test_the_look_at_it_is_audited_as_one_at_the_file(
    client, database, director, file, alias
) -> None:
    await client.get(f"/v1/children/{alias}", headers=director.headers)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT child_ids, subject_id FROM audit_entries WHERE operation = 'readChild'"
        )
    assert [str(child) for child in row["child_ids"]] == [file["id"]]
    assert str(row["subject_id"]) == file["id"]


async def test_a_visit_a_report_and_a_change_reach_the_file(client, director, file, alias) -> None:
    visit = await client.post("/v1/visits", json=a_visit(alias), headers=director.headers)
    assert (visit.status_code, visit.json()["child_id"]) == (201, file["id"])
    listed = await client.get(f"/v1/children/{alias}/visits", headers=director.headers)
    assert [each["id"] for each in listed.json()["items"]] == [visit.json()["id"]]
    body = a_report(child_id=alias, region_code=f"{VILLAGE}")
    del body["subject"]
    report = await client.post("/v1/police-reports", json=body, headers=director.headers)
    assert report.status_code == 201, report.text
    read = await client.get(f"/v1/police-reports/{report.json()['id']}", headers=director.headers)
    assert read.json()["child_id"] == file["id"]
    change = await client.patch(
        f"/v1/children/{alias}",
        json={"guardianship": {"kind": "relatives"}},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert (change.status_code, change.json()["id"]) == (200, file["id"])


async def test_a_visit_sent_again_is_recognised(client, director, file, alias) -> None:
    body = a_visit(alias)
    first = await client.post("/v1/visits", json=body, headers=director.headers)
    again = await client.post("/v1/visits", json=body, headers=director.headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert first.json()["child_id"] == file["id"]


async def test_opened_again_under_it_is_answered_the_same(open_file, director, alias, file) -> None:
    again = await open_file(director, id=alias)
    assert (again.status_code, again.headers["location"]) == (409, f"/v1/children/{file['id']}")


async def test_to_nobody_else_it_is_a_name(client, township, neighbour, alias) -> None:
    for caller in (township, neighbour):
        answer = await client.get(f"/v1/children/{alias}", headers=caller.headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/child-not-found")


async def test_it_opens_nothing_that_is_out_of_sight(
    client, database, director, alias, file
) -> None:
    await moved(database, file["id"], region_code=SIBLING)
    for url in (f"/v1/children/{alias}", f"/v1/children/{alias}/visits"):
        answer = await client.get(url, headers=director.headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/child-not-found")
    later = await client.post("/v1/visits", json=a_visit(alias), headers=director.headers)
    assert later.status_code == 202, "kept, since nobody in charge said that it is this child"


async def test_an_id_of_ones_own_child_stays_that_childs(
    client, database, open_file, director, file
) -> None:
    own = await a_child(database, VILLAGE)
    assert (await open_file(director, id=str(own.id))).status_code == 409
    read = await client.get(f"/v1/children/{own.id}", headers=director.headers)
    assert read.json()["id"] == str(own.id) != file["id"]


async def test_it_follows_the_file_and_hides_with_it(
    client, database, settings, director, alias, file
) -> None:
    await moved(database, file["id"], region_code=SIBLING)
    async with database.begin(SYSTEM) as tx:
        place = await tx.connection.fetchval("SELECT region_code FROM child_aliases")
    assert place == SIBLING
    same_agency = await a_caller(
        database, settings, "village_director", SIBLING, agency_id=director.agency_id
    )
    read = await client.get(f"/v1/children/{alias}", headers=same_agency.headers)
    assert read.json()["id"] == file["id"]


async def test_an_unknown_id_is_still_nobody(client, director, alias) -> None:
    answer = await client.get(f"/v1/children/{uuid4()}", headers=director.headers)
    assert (answer.status_code, alias in answer.text) == (404, False)


async def test_the_refusal_is_told_in_both_languages(client, director, file) -> None:
    body = a_file(VILLAGE, id=str(new_id()))
    headers = {**director.headers, "accept-language": "zh"}
    answer = await client.post("/v1/children", json=body, headers=headers)
    assert answer.json()["title"] == "该儿童已建立档案"
    assert answer.headers["location"].endswith(file["id"])


async def test_lists_narrowed_to_it_are_those_of_the_file(
    client, database, director, file, alias
) -> None:
    """What its agency's app asks under its own id is answered as under the file's."""
    await client.post("/v1/visits", json=a_visit(alias), headers=director.headers)
    await run_jobs(database)
    for url in ("/v1/visits", "/v1/duties"):
        by_file, by_alias = [
            await client.get(f"{url}?child_id={child_id}", headers=director.headers)
            for child_id in (file["id"], alias)
        ]
        assert len(by_file.json()["items"]) > 0
        assert by_alias.json()["items"] == by_file.json()["items"], url


async def test_so_are_those_of_a_school(client, database, settings) -> None:
    around = await everyone(client, database, settings)
    pupil = await a_child(database, VILLAGE, school_id=around.school.id)
    await around.absent(pupil.id, "2026-11-18", "2026-11-19", "2026-11-20")
    alias = new_id()
    async with database.begin(SYSTEM) as tx:
        await duplicates.adopt(tx, around.school.id, alias, pupil.id)
    for url in ("/v1/attendance-events", "/v1/dropout-alerts"):
        listed = await client.get(f"{url}?child_id={alias}", headers=around.teacher.headers)
        children = {item.get("child_id", str(pupil.id)) for item in listed.json()["items"]}
        assert children == {str(pupil.id)}, (url, listed.text)


def test_every_list_that_is_narrowed_to_a_child_reads_it_so() -> None:
    """But for the audit trail, which says what was asked under which id."""
    document = json.loads(Path("openapi/v1.json").read_bytes())
    found = {
        operation["get"]["operationId"]: parameter["description"]
        for operation in document["paths"].values()
        for parameter in operation.get("get", {}).get("parameters", ())
        if (parameter["name"], parameter["in"]) == ("child_id", "query")
    }
    others = {name for name, words in found.items() if "another name of it" not in words}
    assert (others, len(found) >= 7) == ({"listAuditEntries"}, True)
