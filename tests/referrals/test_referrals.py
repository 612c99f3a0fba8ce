"""Who is asked to help a child, and what they answer (VIS-03, VIS-08)."""

from collections import defaultdict
from datetime import timedelta

import pytest

from app.core.data import keys
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.referrals import models
from app.visits.schemas import Domain
from tests.access.factories import a_caller, an_agency, renewed
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE, filed, rows
from tests.police_reports.test_owing import owed, visited
from tests.visits.factories import something_wrong

WORDS = "合成记录:已上门"
DUE = "2026-11-27T16:00:00Z"


def _found(*kinds: str, **fields):
    return something_wrong(**{"type": "distress", "refer_to": list(kinds), **fields})


async def listed(client, caller, **query):
    answer = await client.get("/v1/referrals", params=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def act(client, caller, referral, path, **body):
    headers = {**caller.headers, "if-match": f'"{referral["version"]}"'}
    url = f"/v1/referrals/{referral['id']}/{path}"
    return await client.post(url, json=body, headers=headers)


async def corrected(client, database, caller, url, *findings):
    etag = (await client.get(url, headers=caller.headers)).headers["etag"]
    headers = {**caller.headers, "if-match": etag}
    answer = await client.patch(url, json={"findings": list(findings)}, headers=headers)
    assert answer.is_success, answer.text
    await run_jobs(database)


async def closed(database, agency_id) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", agency_id)


@pytest.fixture
async def hospital(database, settings, offices):
    return await a_caller(database, settings, "hospital", COUNTY)


async def test_what_a_finding_refers_is_owed_an_answer(
    client, database, settings, offices, child, hospital
) -> None:
    """VIS-08: 及时发现…问题,并向相关部门反馈. Once, also corrected; in the receiver's own name."""
    url = await visited(client, database, offices.village, child, _found("hospital"))
    [duty] = await owed(client, hospital, "VIS-08")
    bearer = {"role": "hospital", "agency_id": str(hospital.agency_id), "stands_in_for": None}
    assert (duty["bearer"], duty["state"]) == (bearer, "open")
    assert duty["due_at"] == DUE
    for caller in (offices.village, offices.township, offices.county):
        assert len(await owed(client, caller, "VIS-08")) == 1
    assert await owed(client, offices.school, "VIS-08") == []
    education = await a_caller(database, settings, "education_authority", COUNTY)
    assert await listed(client, education) == [], "who reads no findings"
    [asked] = await listed(client, hospital)
    told = {"name": "测一", "birth_date": "2016-03-01", "region_code": "120119101200"}
    assert asked["child"] == told, "as little as is needed to find it"
    assert (asked["needs"], asked["waits"]) == (["distress"], False)
    assert (asked["visit_id"], asked["source"]) == (url.rpartition("/")[2], "visit")
    assert (await client.get(f"/v1/children/{child.id}", headers=hospital.headers)).status_code in {
        403,
        404,
    }
    normal = {"domain": "study", "abnormal": False, "refer_to": ["hospital"]}
    await corrected(client, database, offices.village, url, _found("hospital"), normal)
    [asked] = await listed(client, hospital)
    assert asked["needs"] == ["distress", "study"]
    wrong = await act(client, offices.village, asked, "answer", answer="done", words=WORDS)
    assert wrong.json()["type"] == "/problems/not-referred-to-you"
    assert (await act(client, hospital, asked, "answer", answer="refused")).status_code == 422
    done = await act(client, hospital, asked, "answer", answer="refused", words=WORDS)
    assert done.status_code == 200, done.text
    await run_jobs(database)
    assert [each["state"] for each in await owed(client, hospital, "VIS-08")] == ["discharged"]
    assert await owed(client, hospital, "VIS-08.done") == [], "what was refused has no result"
    [seen] = await listed(client, offices.village, state="answered")
    assert (seen["answer"]["answer"], seen["answer"]["words"]) == ("refused", WORDS)
    [seen] = await listed(client, offices.township, child_id=str(child.id))
    assert seen["answer"]["words"] is None, "between the two, and the county"
    [seen] = await listed(client, offices.county, held_by=str(hospital.agency_id))
    assert seen["answer"]["words"] == WORDS
    more = _found("hospital", type="accident_or_harm")
    await corrected(client, database, offices.village, url, _found("hospital"), more)
    assert [each["state"] for each in await owed(client, hospital, "VIS-08")] == ["open"]


FED_BACK = {
    "life": ("civil_affairs", "poverty"),
    "study": ("education", "dropout"),
    "psychology": ("hospital", "distress"),
    "health": ("hospital", "ill"),
    "guardianship": ("civil_affairs", "misconduct"),
    "safety": ("civil_affairs", "unsafe_home"),
    "household": ("civil_affairs", "no_hukou"),
    "other": ("civil_affairs", "other"),
}
"""By each part of a child's life: the department, and something wrong that is not reported."""


async def test_a_problem_of_life_study_or_psychology_is_fed_back_though_nobody_is_named(
    client, database, settings, offices, child
) -> None:
    """VIS-08: 在生活、学习、心理等方面存在的问题,并向相关部门反馈: of each part of a child's life
    that a visit knows. What is reported is not.
    """
    assert FED_BACK.keys() == set(Domain)
    for role in ("hospital", "education_authority"):
        await a_caller(database, settings, role, COUNTY)
    asked = defaultdict(set)
    for kind, wrong in FED_BACK.values():
        asked[kind].add(wrong)
    found = [_found(domain=domain, type=wrong) for domain, (_, wrong) in FED_BACK.items()]
    reported = [_found(domain=domain, type="guardian_failure") for domain in FED_BACK]
    normal = [{"domain": domain, "abnormal": False, "refer_to": []} for domain in FED_BACK]
    await visited(client, database, offices.village, child, *found, *reported, *normal)
    said = {each["to_kind"]: set(each["needs"]) for each in await listed(client, offices.county)}
    assert said == asked
    assert len(await owed(client, offices.county, "VIS-08")) == len(said)


async def test_what_a_visit_asks_no_more_is_owed_by_nobody(
    client, database, offices, child, hospital, monkeypatch
) -> None:
    poor = something_wrong(type="poverty", refer_to=[])
    url = await visited(client, database, offices.village, child, poor, _found("hospital"))
    body = {"findings": [poor], "words": WORDS}
    for caller, path in ((offices.village, ""), (offices.township, "/confirmation")):
        etag = (await client.get(url, headers=caller.headers)).headers["etag"]
        headers = {**caller.headers, "if-match": etag}
        said = {} if path else {"json": body}
        answer = await client.post(f"{url}/withdrawal{path}", headers=headers, **said)
        assert answer.is_success, answer.text
    await run_jobs(database)
    assert [each["state"] for each in await owed(client, hospital, "VIS-08")] == ["cancelled"]
    assert [each["state"] for each in await listed(client, hospital)] == ["cancelled"]
    later = database.clock() + timedelta(minutes=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    await corrected(client, database, offices.village, url, poor, _found("hospital"))
    assert [each["state"] for each in await owed(client, hospital, "VIS-08")] == ["open"]
    assert [each["state"] for each in await listed(client, hospital)] == ["open"]


async def test_what_is_asked_is_what_the_visit_says_now_and_no_correction_undoes_an_answer(
    client, database, settings, offices, child, hospital, monkeypatch
) -> None:
    """Asked again, it is asked of whoever is nearest by then, by a deadline of its own."""
    none = {"domain": "study", "abnormal": False}
    ask, more = [{**none, "domain": each, "refer_to": ["hospital"]} for each in ("study", "health")]
    url = await visited(client, database, offices.village, child, ask)
    for answer, says, state, needs in (
        (None, [ask, more], "open", ["health", "study"]),
        (None, [ask], "open", ["study"]),
        ("accepted", [ask, more], "accepted", ["health", "study"]),
        (None, [none], "cancelled", ["health", "study"]),
    ):
        if answer:
            [asked] = await listed(client, hospital)
            assert (await act(client, hospital, asked, "answer", answer=answer)).is_success
        await corrected(client, database, offices.village, url, *says)
        [asked] = await listed(client, hospital)
        assert (asked["state"], asked["needs"], asked["due_at"]) == (state, needs, DUE), says
    assert asked["cancelled"]["cancelled_by"] == "system"
    near = await a_caller(database, settings, "hospital", TOWNSHIP)
    later = database.clock() + timedelta(days=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    near, hospital, village = [
        renewed(database, settings, each) for each in (near, hospital, offices.village)
    ]
    await corrected(client, database, village, url, ask)
    [again] = await listed(client, near)
    assert (again["id"], again["state"], again["cancelled"]) == (asked["id"], "open", None)
    assert again["due_at"] == "2026-11-28T16:00:00Z"
    assert await listed(client, hospital) == []
    await corrected(client, database, village, url, none)
    await closed(database, near.agency_id)
    await corrected(client, database, village, url, ask)
    [again] = await listed(client, hospital)
    done = await act(client, hospital, again, "answer", answer="done", words=WORDS)
    assert done.status_code == 200, done.text
    await corrected(client, database, village, url, none)
    [kept] = await listed(client, hospital)
    assert (kept["state"], kept["answer"]["words"]) == ("answered", WORDS)


async def test_what_is_taken_on_is_owed_a_result(
    client, database, offices, hospital, monkeypatch
) -> None:
    """Whoever takes it on owes what comes of it; not told in time, who asked hears of it."""
    school_id = offices.school.agency_id
    education = {"school_id": str(school_id)}
    child = await a_child(database, VILLAGE, school_id=school_id, education=education)
    body = {"to_agency_id": str(hospital.agency_id), "needs": ["ill"], "note": WORDS}
    url = f"/v1/children/{child.id}/referrals"
    made = await client.post(url, json=body, headers=offices.school.headers)
    assert made.status_code == 201, made.text
    await run_jobs(database)
    assert len((await client.get(url, headers=offices.school.headers)).json()["items"]) == 1

    async def late(days):
        later = database.clock() + timedelta(days=days)
        with monkeypatch.context() as patched:
            patched.setattr(database, "clock", lambda: later)
            async with database.begin(SYSTEM) as tx:
                await queue.enqueue(tx.connection, "duties.mark_overdue", [{}])
            await run_jobs(database)
        events = await rows(database, "events ORDER BY id")
        told = [each for each in events if each["wire_name"] == "referrals.referral_overdue"]
        assert str(offices.school.agency_id) in told[-1]["data"]["known_to"]
        return len(told)

    assert await late(8) == 1, "no answer"
    accepted = await act(client, hospital, made.json(), "answer", answer="accepted")
    assert accepted.json()["note"] == WORDS
    unread = await act(client, hospital, made.json(), "answer", answer="done", words=WORDS)
    assert unread.status_code == 412
    await run_jobs(database)
    assert [each["state"] for each in await owed(client, hospital, "VIS-08")] == ["discharged"]
    [duty] = await owed(client, hospital, "VIS-08.done")
    assert (duty["state"], duty["due_at"]) == ("open", "2026-12-20T16:00:00Z")
    assert await late(31) == 2, "no result"
    ahead = {"words": WORDS, "done_on": "2026-11-21", "found": ["伤"], "by": "李医生"}
    done = await act(client, hospital, accepted.json(), "answer", answer="done", **ahead)
    assert (done.json()["state"], done.json()["permitted"]) == ("answered", [])
    assert done.json()["answer"]["done_on"] == "2026-11-20", "a clock ahead"
    kept = await rows(database, "referrals")
    async with database.begin(SYSTEM) as tx:
        await keys.of_rows(tx, kept)
        said = models.said(tx.keyring, kept[0])
    assert [each["answer"] for each in said] == ["accepted", "done"]
    assert said[1]["as_sent"] == {"found.0": "伤", "by": "李医生"}
    await run_jobs(database)
    assert [each["state"] for each in await owed(client, hospital, "VIS-08.done")] == ["discharged"]
    again = await act(client, hospital, done.json(), "answer", answer="done", words=WORDS)
    assert again.json()["type"] == "/problems/referral-ended"
    ended = await act(client, offices.school, done.json(), "cancellation", reason=WORDS)
    assert ended.json()["type"] == "/problems/referral-ended"


async def test_one_word_under_one_key_answers_for_each_child(
    client, database, offices, hospital
) -> None:
    """Evidence is known again by its key and what it says: of another child that is another."""
    asked = {"to_agency_id": str(hospital.agency_id), "needs": ["ill"], "note": WORDS}
    headers = {**hospital.headers, "if-match": '"1"', "idempotency-key": "k"}
    for _ in range(2):
        child = await a_child(database, VILLAGE)
        url = f"/v1/children/{child.id}/referrals"
        made = (await client.post(url, json=asked, headers=offices.county.headers)).json()
        url = f"/v1/referrals/{made['id']}/answer"
        answer = await client.post(url, json={"answer": "accepted"}, headers=headers)
        assert (answer.status_code, answer.json()["id"]) == (200, made["id"])
    assert [each["state"] for each in await listed(client, hospital)] == ["accepted"] * 2


async def test_who_asked_takes_it_back_with_a_reason(
    client, database, offices, child, hospital
) -> None:
    body = {"to_kind": "hospital", "needs": ["ill"]}
    url = f"/v1/children/{child.id}/referrals"
    made = (await client.post(url, json=body, headers=offices.township.headers)).json()
    await run_jobs(database)
    await act(client, hospital, made, "answer", answer="accepted")
    await run_jobs(database)
    [made] = await listed(client, hospital)
    refused = await act(client, hospital, made, "cancellation", reason=WORDS)
    assert refused.json()["type"] == "/problems/not-referred-by-you"
    gone = await act(client, offices.township, made, "cancellation", reason=WORDS)
    assert (gone.json()["state"], gone.json()["cancelled"]["reason"]) == ("cancelled", WORDS)
    await run_jobs(database)
    for rule in ("VIS-08", "VIS-08.done"):
        assert [each["state"] for each in await owed(client, hospital, rule)] == ["cancelled"]


@pytest.mark.parametrize(
    "named",
    [{"to_kind": "operator"}, {"to_agency_id": "supervision"}, {"to_agency_id": "hospital"}],
)
async def test_who_cannot_answer_is_asked_nothing(client, database, offices, child, named) -> None:
    if kind := named.get("to_agency_id"):
        agency_id = await an_agency(database, kind, COUNTY)
        named = {"to_agency_id": str(agency_id)}
        if kind == "hospital":
            await closed(database, agency_id)
    answer = await client.post(
        f"/v1/children/{child.id}/referrals",
        json={**named, "needs": ["ill"]},
        headers=offices.county.headers,
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/receiver-unknown")


async def test_where_nobody_of_the_kind_is_civil_affairs_have_it(
    client, database, settings, offices, child
) -> None:
    """Never without an owner: the nearest of the kind, else the county, which is told so."""
    await an_agency(database, "social_work", COUNTY + 1000)
    await visited(client, database, offices.village, child, _found("social_work"))
    [duty] = await owed(client, offices.county, "VIS-08")
    bearer = {
        "role": "civil_affairs",
        "agency_id": str(offices.county.agency_id),
        "stands_in_for": None,
    }
    assert duty["bearer"] == bearer
    [asked] = await listed(client, offices.county)
    assert (asked["to_kind"], asked["waits"]) == ("social_work", True)
    near = await a_caller(database, settings, "reporting_body", TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE agencies SET kind = 'social_work' WHERE id = $1", near.agency_id
        )
    await visited(client, database, offices.village, child, _found("social_work"))
    assert [each["waits"] for each in await listed(client, near)] == [False]


async def test_no_referral_tells_whom_a_report_speaks_against(
    client, database, settings, offices, child
) -> None:
    """AZ-8: what a finding or a person refers goes where it would go if there were no report, and
    stays there: whoever is passed over, or asks, would read in that who is accused.
    """
    near = await a_caller(database, settings, "hospital", TOWNSHIP)
    await visited(client, database, offices.village, child, _found("hospital"))
    before = await listed(client, near)
    for suspect in (near, offices.township):
        body = {"child_id": str(child.id), "situations": ["domestic_violence"]}
        body["suspect_agency_id"] = str(suspect.agency_id)
        await filed(client, offices.village, **body)
    await run_jobs(database)
    assert await listed(client, near) == before
    await visited(client, database, offices.village, child, _found("hospital"))
    assert len(await listed(client, near)) == 2
    url = f"/v1/children/{child.id}/referrals"
    for kind, asked in (("hospital", near), ("township_government", offices.township)):
        said = {"to_kind": kind, "needs": ["ill"]}
        made = await client.post(url, json=said, headers=offices.township.headers)
        assert (made.json()["to_agency_id"], made.json()["waits"]) == (str(asked.agency_id), False)


async def test_what_was_found_stays_found_and_is_the_finders_to_report(
    client, database, offices, child, hospital
) -> None:
    body = {"to_agency_id": str(hospital.agency_id), "needs": ["ill"]}
    url = f"/v1/children/{child.id}/referrals"
    made = (await client.post(url, json=body, headers=offices.township.headers)).json()
    found = {"answer": "accepted", "found": ["domestic_violence"]}
    accepted = (await act(client, hospital, made, "answer", **found)).json()
    done = await act(client, hospital, accepted, "answer", answer="done", words=WORDS)
    assert done.json()["answer"]["found"] == ["domestic_violence"]
    [seen] = await listed(client, offices.township)
    assert (seen["answer"]["words"], seen["answer"]["found"]) == (WORDS, [])


async def test_what_a_visit_found_is_taken_back_with_it_and_by_no_system(
    client, database, settings, offices, child, hospital
) -> None:
    await visited(client, database, offices.village, child, _found("hospital"))
    [asked] = await listed(client, hospital)
    refused = await act(client, offices.village, asked, "cancellation", reason=WORDS)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-taken-back-here")
    machine = await a_caller(
        database,
        settings,
        "civil_affairs",
        COUNTY,
        agency_id=offices.county.agency_id,
        machine=True,
    )
    body = {"to_kind": "hospital", "needs": ["ill"]}
    url = f"/v1/children/{child.id}/referrals"
    made = (await client.post(url, json=body, headers=offices.county.headers)).json()
    refused = await act(client, machine, made, "cancellation", reason=WORDS)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/person-required")


async def test_of_schools_the_childs_own_is_asked(client, database, settings, offices) -> None:
    await an_agency(database, "school", TOWNSHIP)
    school_id = offices.school.agency_id
    child = await a_child(database, VILLAGE, school_id=school_id)
    url, body = f"/v1/children/{child.id}/referrals", {"to_kind": "school", "needs": ["dropout"]}
    made = await client.post(url, json=body, headers=offices.county.headers)
    assert (made.json()["to_agency_id"], made.json()["waits"]) == (str(school_id), False)
