"""A number that is on a file elsewhere: two offices answer each other without seeing each other's
file, and what is sent meanwhile is kept.
"""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.children.factories import RESIDENT_ID, a_file, with_check_digit
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import COUNTY, OTHER_COUNTY_VILLAGE, TOWNSHIP, count, listed
from tests.visits.factories import a_visit


async def test_each_office_sees_its_own_question_and_nothing_of_the_other_file(
    client, director, county, other_county, elsewhere, refused
) -> None:
    (ours,) = await listed(client, county)
    (theirs,) = await listed(client, other_county)
    (sent,) = await listed(client, director)
    assert ours["id"] == sent["id"] == refused["referral_id"] != theirs["id"]
    assert (ours["kind"], ours["reason"]) == ("referral", "resident_id")
    assert (ours["child_id"], ours["other_child_id"]) == (None, None)
    assert (theirs["child_id"], theirs["other_child_id"]) == (elsewhere, None)
    for caller, item in ((county, ours), (director, sent), (other_county, theirs)):
        read = await client.get(f"/v1/unresolved/{item['id']}", headers=caller.headers)
        assert (RESIDENT_ID in read.text) is (caller is not other_county)
        assert (elsewhere in read.text) is (caller is other_county)
    assert (sent["permitted"], ours["permitted"]) == ([], ["answerUnresolved"])
    for hidden, caller in ((theirs, county), (ours, other_county)):
        answer = await client.get(f"/v1/unresolved/{hidden['id']}", headers=caller.headers)
        assert answer.status_code == 404


async def test_the_own_office_reads_what_was_sent_and_what_it_may_do(
    client, director, county, other_county, refused, act
) -> None:
    for caller in (county, director):
        read = await client.get(f"/v1/unresolved/{refused['referral_id']}", headers=caller.headers)
        (sent,) = read.json()["evidence"]
        assert (sent["sender_ref"], sent["waiting"]) == (refused["id"], True)
        assert sent["sent"]["identity"]["name"] == refused["identity"]["name"]
        assert sent["sent"]["residence"]["address"] == refused["residence"]["address"]
    await act(county, refused["referral_id"], "answer", answer="another_child", words="不是一人")
    (ours,) = await listed(client, county)
    assert (ours["state"], ours["permitted"]) == ("open", ["answerUnresolved"])
    assert [each["office"] for each in ours["answers"]] == ["yours"]
    (theirs,) = await listed(client, other_county)
    read = await client.get(f"/v1/unresolved/{theirs['id']}", headers=other_county.headers)
    assert read.json()["evidence"] == []


async def test_each_office_owes_an_answer_by_a_day(
    client, county, other_county, refused, now
) -> None:
    due = (now + timedelta(days=7)).isoformat().replace("+00:00", "Z")
    for office in (county, other_county):
        (item,) = await listed(client, office)
        duties = (await client.get("/v1/duties", headers=office.headers)).json()["items"]
        (owed,) = [duty for duty in duties if duty["subject_id"] == item["id"]]
        assert (owed["rule"], owed["bearer"]["role"]) == ("REG-12", "civil_affairs")
        assert owed["due_at"] == item["due_at"] == due
    assert refused


class TestAnswered:
    async def _answer(self, client, act, office, answer, words="已核实"):
        (item,) = await listed(client, office, "?state=open&kind=referral")
        return await act(office, item["id"], "answer", answer=answer, words=words)

    async def test_each_reads_what_the_other_says(
        self, client, county, other_county, refused, act
    ) -> None:
        await self._answer(client, act, county, "same_child", "系随母迁回")
        (theirs,) = await listed(client, other_county)
        assert theirs["state"] == "open"
        (said,) = theirs["answers"]
        assert (said["office"], said["answer"], said["words"]) == (
            "other",
            "same_child",
            "系随母迁回",
        )
        differing = await self._answer(client, act, other_county, "another_child", "不是一人")
        assert differing.json()["state"] == "open", "they do not agree yet"
        assert {each["office"] for each in differing.json()["answers"]} == {"yours", "other"}
        assert refused

    async def test_one_child_the_refused_id_is_the_file_and_it_is_asked_to_be_handed_over(
        self, client, database, director, county, other_county, elsewhere, refused, act
    ) -> None:
        visit = a_visit(refused["id"], note="家中无人")
        kept = await client.post("/v1/visits", json=visit, headers=director.headers)
        assert kept.status_code == 202, kept.text
        await run_jobs(database)
        await self._answer(client, act, county, "same_child")
        answer = await self._answer(client, act, other_county, "same_child")
        assert answer.json()["state"] == "answered"
        read = await client.get(f"/v1/visits/{visit['id']}", headers=other_county.headers)
        assert (read.json()["child_id"], read.json()["note"]) == (elsewhere, "家中无人")
        await run_jobs(database)
        later = a_visit(refused["id"], visited_on="2026-11-19")
        stored = await client.post("/v1/visits", json=later, headers=director.headers)
        assert stored.status_code == 201, "what is agreed holds for what comes later"
        hidden = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert hidden.status_code == 404, "its file is still another office's to show"
        async with database.begin(SYSTEM) as tx:
            asked = await tx.connection.fetchrow(
                "SELECT subject_id, region_code FROM events"
                " WHERE wire_name = 'unresolved.handover_asked'"
            )
        assert (str(asked["subject_id"]), asked["region_code"]) == (
            elsewhere,
            OTHER_COUNTY_VILLAGE,
        )
        for office in (county, other_county):
            duties = (await client.get("/v1/duties", headers=office.headers)).json()["items"]
            assert [d["state"] for d in duties if d["rule"] == "REG-12"] == ["discharged"]

    async def test_handed_over_it_is_reached_under_either_id(
        self, client, database, settings, director, county, other_county, elsewhere, refused, act
    ) -> None:
        await self._answer(client, act, county, "same_child")
        await self._answer(client, act, other_county, "same_child")
        province = await a_caller(database, settings, "civil_affairs", 120000000000)
        read = await client.get(f"/v1/children/{elsewhere}", headers=province.headers)
        moved = await client.patch(
            f"/v1/children/{elsewhere}",
            json={"residence": {"region_code": f"{VILLAGE}"}},
            headers={**province.headers, "if-match": read.headers["etag"]},
        )
        assert moved.status_code == 200, moved.text
        for identity in (elsewhere, refused["id"]):
            file = await client.get(f"/v1/children/{identity}", headers=director.headers)
            assert (file.status_code, file.json()["id"]) == (200, elsewhere)

    async def test_one_who_finds_the_own_number_wrong_settles_it(
        self, client, database, county, other_county, refused, act
    ) -> None:
        answer = await self._answer(client, act, other_county, "number_wrong", "录入有误")
        assert (answer.json()["state"], answer.json()["file_opened"]) == ("answered", None)
        assert await listed(client, county, "?state=open") == []
        (ours,) = await listed(client, county)
        assert ours["answers"][0]["words"] == "录入有误"
        assert ours["file_opened"] == "number_set_aside", "the other file has it still"
        assert await count(database, "child_aliases") == 0
        assert refused

    @pytest.mark.parametrize(
        "said", [("another_child", "another_child"), ("number_wrong", None), (None, "number_wrong")]
    )
    async def test_two_children_the_second_gets_its_file_and_what_waited_for_it(
        self, client, database, director, county, other_county, elsewhere, refused, act, said
    ) -> None:
        visits = [a_visit(refused["id"], visited_on=f"2026-11-1{day}") for day in (7, 8)]
        for visit in visits:
            kept = await client.post("/v1/visits", json=visit, headers=director.headers)
            assert kept.status_code == 202, kept.text
        for office, answer in zip((county, other_county), said, strict=True):
            if answer is not None:
                settled = await self._answer(client, act, office, answer)
                assert settled.status_code == 200, settled.text
        await run_jobs(database)
        (ours,) = await listed(client, county, "?kind=referral")
        assert (ours["state"], ours["child_id"]) == ("answered", refused["id"])
        assert ours["file_opened"] == "number_set_aside"
        (theirs,) = await listed(client, other_county)
        assert (theirs["file_opened"], theirs["child_id"]) == (None, elsewhere)
        file = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert file.json()["identity"]["resident_id"] is None
        assert file.json()["residence"]["address"] == refused["residence"]["address"]
        history = await client.get(
            f"/v1/children/{refused['id']}/history", headers=director.headers
        )
        (opened,) = history.json()["items"]
        assert (opened["actor"], opened["role"], opened["agency_id"]) == (
            f"staff:{director.subject_id}",
            "village_director",
            str(director.agency_id),
        )
        for visit in visits:
            read = await client.get(f"/v1/visits/{visit['id']}", headers=director.headers)
            assert read.json()["child_id"] == refused["id"]
        body = {name: refused[name] for name in refused if name != "referral_id"}
        again = await client.post("/v1/children", json=body, headers=director.headers)
        assert (again.status_code, again.json()["id"]) == (200, refused["id"])

    async def test_with_its_number_if_the_other_office_has_corrected_its_own(
        self, client, director, other_county, elsewhere, refused, act
    ) -> None:
        read = await client.get(f"/v1/children/{elsewhere}", headers=other_county.headers)
        corrected = await client.patch(
            f"/v1/children/{elsewhere}",
            json={"identity": {"resident_id": None}},
            headers={**other_county.headers, "if-match": read.headers["etag"]},
        )
        assert corrected.status_code == 200, corrected.text
        await self._answer(client, act, other_county, "number_wrong")
        file = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert file.json()["identity"]["resident_id"] == RESIDENT_ID
        (sent,) = await listed(client, director)
        assert sent["file_opened"] == "as_sent"

    async def test_without_its_number_if_the_own_office_finds_that_wrong(
        self, client, county, director, other_county, elsewhere, refused, act
    ) -> None:
        read = await client.get(f"/v1/children/{elsewhere}", headers=other_county.headers)
        freed = await client.patch(
            f"/v1/children/{elsewhere}",
            json={"identity": {"resident_id": None}},
            headers={**other_county.headers, "if-match": read.headers["etag"]},
        )
        assert freed.status_code == 200, freed.text
        await self._answer(client, act, county, "number_wrong")
        file = await client.get(f"/v1/children/{refused['id']}", headers=director.headers)
        assert file.json()["identity"]["resident_id"] is None

    async def test_only_by_the_offices(
        self, client, database, settings, director, refused, act
    ) -> None:
        answer = await act(
            director, refused["referral_id"], "answer", answer="same_child", words="是"
        )
        assert (answer.status_code, answer.json()["type"]) == (
            403,
            "/problems/not-yours-to-settle",
        )
        township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
        assert await listed(client, township) == []

    async def test_with_what_fits(self, county, refused, act) -> None:
        answer = await act(county, refused["referral_id"], "answer", answer="one_visit", words="是")
        assert (answer.status_code, answer.json()["type"]) == (
            422,
            "/problems/answer-does-not-fit",
        )
        wrong = await act(county, refused["referral_id"], "attachment", child_id=str(uuid4()))
        assert (wrong.status_code, wrong.json()["type"]) == (409, "/problems/not-for-this-kind")


async def test_in_one_county_one_office_answers_once(
    client, database, director, neighbour, county, act
) -> None:
    theirs = await client.post("/v1/children", json=a_file(VILLAGE + 1), headers=neighbour.headers)
    body = a_file(VILLAGE, id=str(new_id()))
    await client.post("/v1/children", json=body, headers=director.headers)
    await run_jobs(database)
    (item,) = await listed(client, county)
    assert item["region_code"] == str(COUNTY)
    assert item["other_child_id"] == theirs.json()["id"], "it sees both places"
    (sent,) = await listed(client, director)
    assert (sent["id"], sent["other_child_id"]) == (item["id"], None), "who sent it does not"
    answer = await act(county, item["id"], "answer", answer="same_child", words="同一人")
    assert answer.json()["state"] == "answered"


async def test_namesakes_of_a_county_are_asked_about(
    client, database, director, neighbour, county
) -> None:
    unnumbered = {**a_file(VILLAGE)["identity"], "resident_id": None}
    ids = []
    for caller, place in ((neighbour, VILLAGE + 1), (director, VILLAGE)):
        answer = await client.post(
            "/v1/children", json=a_file(place, identity=unnumbered), headers=caller.headers
        )
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
        await run_jobs(database)
    (item,) = await listed(client, county)
    assert item["reason"] == "name_and_birth_date"
    assert [item["other_child_id"], item["child_id"]] == ids
    for caller in (neighbour, director):
        assert await listed(client, caller) == []


async def test_corrected_and_sent_again_the_file_opens_and_takes_what_waited(
    client, database, director, county, refused
) -> None:
    visit = a_visit(refused["id"])
    await client.post("/v1/visits", json=visit, headers=director.headers)
    body = {name: refused[name] for name in refused if name != "referral_id"}
    body["identity"] = {**body["identity"], "resident_id": None}
    opened = await client.post("/v1/children", json=body, headers=director.headers)
    assert opened.status_code == 201, opened.text
    await run_jobs(database)
    read = await client.get(f"/v1/visits/{visit['id']}", headers=county.headers)
    assert read.json()["child_id"] == refused["id"]


async def test_another_number_that_is_elsewhere_is_another_referral(
    client, database, settings, director, county, refused
) -> None:
    """Of a child of the same name; of another name it is another child's file."""
    other = with_check_digit("12000020160501902")
    stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    born = {"birth_date": "2016-05-01", "resident_id": other}
    identity = {**a_file(VILLAGE)["identity"], **born}
    there = await client.post(
        "/v1/children",
        json=a_file(OTHER_COUNTY_VILLAGE, identity=identity),
        headers=stranger.headers,
    )
    assert there.status_code == 201, there.text
    body = {name: refused[name] for name in refused if name != "referral_id"}
    again = await client.post(
        "/v1/children",
        json={**body, "identity": {**body["identity"], **born}},
        headers=director.headers,
    )
    assert again.status_code == 202, again.text
    assert again.json()["referral_id"] != refused["referral_id"]
    await run_jobs(database)
    assert len(await listed(client, county)) == 2


async def test_an_id_of_another_file_is_no_second_files(
    client, database, director, county, other_county, elsewhere, act
) -> None:
    """Two phones made one id for two children: the second child's file has an id of its own."""
    other = with_check_digit("12000020160301902")
    identity = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": other}
    body = a_file(VILLAGE, id=elsewhere, identity=identity)
    sent = await client.post("/v1/children", json=body, headers=director.headers)
    assert sent.status_code == 202, sent.text
    await run_jobs(database)
    for office in (county, other_county):
        (item,) = await listed(client, office, "?state=open")
        await act(office, item["id"], "answer", answer="another_child", words="不是一人")
    (ours,) = await listed(client, county)
    assert (ours["reason"], ours["file_opened"]) == ("id", "as_sent")
    assert ours["child_id"] != elsewhere
    again = await client.post("/v1/children", json=body, headers=director.headers)
    assert (again.status_code, again.headers["location"]) == (
        409,
        f"/v1/children/{ours['child_id']}",
    )
    file = await client.get(again.headers["location"], headers=director.headers)
    assert file.json()["identity"]["resident_id"] == other
