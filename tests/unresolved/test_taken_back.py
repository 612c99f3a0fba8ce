"""What was placed with the wrong child is taken back: by a person, with a reason."""

from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.attendance.factories import an_event, push
from tests.children.factories import a_child, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import COUNTY, listed, of_number, slots, tick
from tests.visits.factories import a_visit, something_wrong


@pytest.fixture
async def wrong(database):
    return await a_child(database, VILLAGE, name="别的孩")


@pytest.fixture
async def sent(client, director) -> dict:
    """A visit with an abnormal finding to a child nobody knows, and its question."""
    body = a_visit(uuid4(), findings=[something_wrong()])
    answer = await client.post("/v1/visits", json=body, headers=director.headers)
    return {**body, "item": answer.json()["unresolved_id"]}


@pytest.fixture
async def placed(township, wrong, sent, act) -> dict:
    answer = await act(township, sent["item"], "attachment", child_id=str(wrong.id))
    assert answer.json()["state"] == "attached", answer.text
    return sent


async def _visits(client, caller, child_id) -> list[dict]:
    answer = await client.get(f"/v1/visits?child_id={child_id}", headers=caller.headers)
    return answer.json()["items"]


@pytest.mark.parametrize("what", ["attachment", "correction", "withdrawal"])
async def test_a_person_says_whose_it_is(
    client, database, settings, county, wrong, sent, act, what
) -> None:
    machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    if what == "withdrawal":
        await act(county, sent["item"], "attachment", child_id=str(wrong.id))
    answer = await act(machine, sent["item"], what, child_id=str(wrong.id), words="自动")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")
    unreasoned = await act(county, sent["item"], what, child_id=str(wrong.id), words=None)
    assert unreasoned.status_code == 422


async def test_a_visit_waits_again_as_abnormal_as_it_was(
    client, database, director, township, wrong, placed, act
) -> None:
    await run_jobs(database)
    answer = await act(township, placed["item"], "withdrawal", words="认错人")
    assert (answer.status_code, answer.json()["state"]) == (200, "taken_back")
    assert answer.json()["taken_back"]["words"] == "认错人"
    assert answer.json()["taken_back"]["by"] == f"staff:{township.subject_id}"
    await run_jobs(database)
    assert await _visits(client, director, wrong.id) == []
    assert (
        await client.get(f"/v1/visits/{placed['id']}", headers=director.headers)
    ).status_code == 404
    [again] = await listed(client, township, "?state=open&abnormal=true")
    assert again["claim"]["child_id"] == placed["child_id"]
    assert again["other_child_id"] == str(wrong.id)
    duties = await client.get("/v1/duties?state=open", headers=township.headers)
    owed = {each["rule"]: each["subject_id"] for each in duties.json()["items"]}
    assert owed == {"REG-11": again["id"]}, "the wrong child's follow-up is owed by nobody"
    repeated = await act(township, placed["item"], "withdrawal", words="认错人")
    assert (repeated.status_code, repeated.json()["type"]) == (409, "/problems/nothing-placed")


async def test_it_is_placed_anew_under_its_own_id_and_what_is_owed_is_owed_for_the_right_child(
    client, database, director, township, child, wrong, placed, act
) -> None:
    await run_jobs(database)
    body = {"words": "认错人", "child_id": str(child.id)}
    answer = await act(township, placed["item"], "withdrawal", **body)
    assert answer.json()["state"] == "taken_back", answer.text
    await run_jobs(database)
    [visit] = await _visits(client, director, child.id)
    assert (visit["id"], visit["abnormal"]) == (placed["id"], True)
    assert await _visits(client, director, wrong.id) == []
    duties = await client.get("/v1/duties?state=open", headers=township.headers)
    owed = {each["rule"]: each["child_id"] for each in duties.json()["items"]}
    assert owed == dict.fromkeys(("VIS-03", "VIS-08", "REP-01"), str(child.id))


async def test_what_was_sent_since_by_the_same_name_goes_along_and_the_name_is_forgotten(
    client, director, township, child, wrong, placed, act
) -> None:
    later = a_visit(placed["child_id"], visited_on="2026-11-19", findings=[something_wrong()])
    stored = await client.post("/v1/visits", json=later, headers=director.headers)
    assert (stored.status_code, stored.json()["child_id"]) == (201, str(wrong.id))
    read = await client.get(f"/v1/visits/{later['id']}", headers=director.headers)
    corrected = await client.patch(
        f"/v1/visits/{later['id']}",
        json={"note": "补充", "visited_on": "2026-11-17"},
        headers={**director.headers, "if-match": read.headers["etag"]},
    )
    assert corrected.status_code == 200, corrected.text
    await act(township, placed["item"], "withdrawal", words="认错人")
    assert await _visits(client, director, wrong.id) == []
    known = await client.get(f"/v1/children/{placed['child_id']}", headers=director.headers)
    assert known.status_code == 404
    again = await client.post("/v1/visits", json=later, headers=director.headers)
    assert again.status_code == 202, "known again, and not stored with anybody"
    [item] = await listed(client, township, "?state=open")
    read = await client.get(f"/v1/unresolved/{item['id']}", headers=township.headers)
    assert {each["sender_ref"] for each in read.json()["evidence"]} == {placed["id"], later["id"]}
    await act(township, item["id"], "attachment", child_id=str(child.id))
    notes = {each["id"]: each["note"] for each in await _visits(client, director, child.id)}
    assert notes == {placed["id"]: None, later["id"]: "补充"}, "what was corrected since is kept"
    read = await client.get(f"/v1/visits/{later['id']}", headers=director.headers)
    assert read.json()["visited_on"] == "2026-11-17"
    kept = await client.get(f"/v1/visits/{later['id']}/versions", headers=director.headers)
    assert [each["visit"]["note"] for each in kept.json()["items"]] == [None]


@pytest.mark.parametrize(
    ("said", "state"), [({"note": "在家"}, "open"), ({"visited_on": "2026-11-20"}, "discharged")]
)
async def test_a_day_that_could_not_be_read_counts_for_the_right_child_once_it_was_said(
    client, database, director, township, wrong, act, said, state
) -> None:
    """VIS-01: not because something else of the visit was corrected."""
    right = await a_child(database, VILLAGE, categories=["left_behind"])
    await tick(database, "duties.open_period")
    body = a_visit(uuid4(), visited_on="30/9/2026")
    held = await client.post("/v1/visits", json=body, headers=director.headers)
    item = held.json()["unresolved_id"]
    await act(township, item, "attachment", child_id=str(wrong.id))
    url, headers = f"/v1/visits/{body['id']}", {**director.headers, "if-match": '"1"'}
    corrected = await client.patch(url, json=said, headers=headers)
    assert corrected.status_code == 200, corrected.text
    await act(township, item, "withdrawal", words="认错人", child_id=str(right.id))
    await run_jobs(database)
    assert [each["id"] for each in await _visits(client, director, right.id)] == [body["id"]]
    owed = await client.get("/v1/duties?rule=VIS-01", headers=director.headers)
    assert [duty["state"] for duty in owed.json()["items"]] == [state]


async def test_so_does_it_where_nobody_kept_what_the_child_was_called(
    client, database, director, township, wrong, placed, act
) -> None:
    later, own = a_visit(placed["child_id"], visited_on="2026-11-19"), a_visit(wrong.id)
    for each in (later, own):
        stored = await client.post("/v1/visits", json=each, headers=director.headers)
        assert stored.status_code == 201, stored.text
    read = await client.get(f"/v1/visits/{later['id']}", headers=director.headers)
    headers = {**director.headers, "if-match": read.headers["etag"]}
    url = f"/v1/visits/{later['id']}"
    corrected = await client.patch(url, json={"note": "补充"}, headers=headers)
    assert corrected.status_code == 200, corrected.text
    await run_jobs(database)
    [twins] = await listed(client, township, "?state=open")
    assert twins["kind"] == "two_entries"
    async with database.begin(SYSTEM) as tx:  # as what was received before that was kept
        await tx.connection.execute("UPDATE visits SET called = NULL")
    answer = await act(township, placed["item"], "withdrawal", words="认错人")
    assert answer.json()["state"] == "taken_back", answer.text
    read = await client.get(f"/v1/unresolved/{twins['id']}", headers=township.headers)
    assert read.json()["state"] == "taken_back", "of one visit nobody is asked whether it is two"
    assert [each["id"] for each in await _visits(client, director, wrong.id)] == [own["id"]]
    [item] = await listed(client, township, "?state=open")
    read = await client.get(f"/v1/unresolved/{item['id']}", headers=township.headers)
    assert {each["sender_ref"] for each in read.json()["evidence"]} == {placed["id"], later["id"]}
    again = await client.post("/v1/visits", json=later, headers=director.headers)
    assert again.status_code == 202, "it is known again"


async def test_a_correction_that_was_wrong_is_taken_back_too(
    client, database, director, township, wrong, sent, act
) -> None:
    """And so is all that was corrected alike."""
    unclear = await act(director, sent["item"], "correction")
    assert unclear.json()["errors"][0]["code"] == "claim_unclear"
    corrected = await act(director, sent["item"], "correction", child_id=str(wrong.id))
    assert (corrected.json()["state"], corrected.json()["words"]) == ("corrected", "已核实")
    body = a_visit(sent["child_id"], visited_on="2026-11-19")
    more = await client.post("/v1/visits", json=body, headers=director.headers)
    await act(director, more.json()["unresolved_id"], "correction", child_id=str(wrong.id))
    assert len(await _visits(client, director, wrong.id)) == 2
    answer = await act(director, sent["item"], "withdrawal", words="认错人")
    assert answer.json()["type"] == "/problems/not-yours-to-settle"
    await act(township, sent["item"], "withdrawal", words="认错人")
    await run_jobs(database)
    [again] = await listed(client, township, "?state=open")
    assert again["claim"]["child_id"] == sent["child_id"]
    assert await _visits(client, director, wrong.id) == []


async def test_a_file_opened_under_the_id_said_takes_a_visit_once(
    client, database, director, sent
) -> None:
    """Though it is sent again before it is looked for."""
    file = a_file(VILLAGE, id=sent["child_id"])
    await client.post("/v1/children", json=file, headers=director.headers)
    body = {name: said for name, said in sent.items() if name != "item"}
    await client.post("/v1/visits", json=body, headers=director.headers)
    await run_jobs(database)
    assert [each["id"] for each in await _visits(client, director, sent["child_id"])] == [
        sent["id"]
    ]


async def test_a_file_opened_under_the_id_first_said_draws_what_was_corrected_to_another(
    client, database, director, sent, act
) -> None:
    still = await act(director, sent["item"], "correction", child_id=str(uuid4()))
    assert still.json()["state"] == "open"
    file = a_file(VILLAGE, id=sent["child_id"])
    opened = await client.post("/v1/children", json=file, headers=director.headers)
    assert opened.status_code == 201, opened.text
    await run_jobs(database)
    visit = await client.get(f"/v1/visits/{sent['id']}", headers=director.headers)
    assert (visit.status_code, visit.json()["child_id"]) == (200, sent["child_id"])


async def test_a_file_that_took_what_was_meant_for_another_does_not_take_it_again(
    client, database, director, township, sent, act
) -> None:
    file = a_file(VILLAGE, id=sent["child_id"])
    await client.post("/v1/children", json=file, headers=director.headers)
    await run_jobs(database)
    await act(township, sent["item"], "withdrawal", words="不是这个孩子")
    await run_jobs(database)
    assert await _visits(client, director, sent["child_id"]) == []
    [again] = await listed(client, township, "?state=open")
    assert again["abnormal"]


@pytest.mark.parametrize("since", [None, "excused"])
async def test_absences_of_a_wrong_pupil(
    client, database, settings, school, teacher, pupil, act, since
) -> None:
    """What the school has said of that child itself since stands."""
    other = await a_child(database, VILLAGE, school_id=school.id, name="另一个")
    await push(client, school, of_number())
    [item] = await listed(client, teacher)
    await act(teacher, item["id"], "attachment", child_id=str(other.id))
    assert [row["category"] for row in await slots(database)] == ["unexcused"]
    if since:
        await push(client, school, an_event(other.id, category=since, sequence=2))
    await run_jobs(database)
    answer = await act(
        teacher, item["id"], "withdrawal", words="学籍号对错了", child_id=str(pupil.id)
    )
    assert answer.json()["state"] == "taken_back", answer.text
    said = {row["child_id"]: row["category"] for row in await slots(database)}
    assert said == {other.id: since or "withdrawn", pupil.id: "unexcused"}
    await run_jobs(database)


async def test_nothing_is_taken_back_of_what_waits(township, sent, act) -> None:
    answer = await act(township, sent["item"], "withdrawal", words="误报", child_id=str(uuid4()))
    assert answer.json()["type"] == "/problems/nothing-placed"


async def test_only_a_child_in_sight_takes_its_place(township, placed, act) -> None:
    answer = await act(township, placed["item"], "withdrawal", words="错", child_id=str(uuid4()))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/child-not-found")


async def test_a_report_is_taken_back_on_the_report(county, refused, act) -> None:
    answer = await act(county, refused["referral_id"], "withdrawal", words="误报")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-for-this-kind")
