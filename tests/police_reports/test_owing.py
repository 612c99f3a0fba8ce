"""What a finding, a report and a notice make owed along the chain to the police and back (REP-01,
REP-07 to REP-15): by whom, by when, what discharges it and what does not.
"""

from datetime import timedelta

import pytest

from tests.access.factories import a_caller, an_agency, renewed
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, DISPATCH, step
from tests.police_reports.test_dispositions import FOUND, VIOLENCE
from tests.unresolved.conftest import tick
from tests.visits.factories import a_visit, something_wrong

BEATEN = something_wrong(type="domestic_violence", refer_to=[])


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def child(database):
    return await a_child(database, VILLAGE)


async def owed(client, caller, rule, **narrowed):
    answer = await client.get(
        "/v1/duties", params={"rule": rule, **narrowed}, headers=caller.headers
    )
    return answer.json()["items"]


async def states(client, caller, rule, **narrowed):
    return [duty["state"] for duty in await owed(client, caller, rule, **narrowed)]


async def told_to(database, wire_name):
    found = await rows(database, "events ORDER BY id")
    return [each["told_to"] for each in found if each["wire_name"] == wire_name]


async def visited(client, database, caller, child, *findings, **fields):
    fields = {"visited_on": "2026-11-20", "findings": list(findings), **fields}
    body = a_visit(child.id, **fields)
    answer = await client.post("/v1/visits", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    return f"/v1/visits/{body['id']}"


async def test_who_finds_violence_owes_a_report_at_the_first_moment(
    client, database, offices, child
) -> None:
    """REP-01: 在工作中发现…疑似遭受家庭暴力…的,应当在第一时间向公安机关报告."""
    await visited(client, database, offices.village, child, something_wrong(type="poverty"))
    assert await owed(client, offices.village, "REP-01") == []
    url = await visited(client, database, offices.village, child, BEATEN)
    for caller in (offices.village, offices.township, offices.county):
        [duty] = await owed(client, caller, "REP-01")
        bearer = {
            "role": "village_director",
            "agency_id": str(offices.village.agency_id),
            "stands_in_for": None,
        }
        assert (duty["bearer"], duty["state"]) == (bearer, "open")
        assert (duty["due_at"], duty["child_id"]) == ("2026-11-20T03:00:00Z", str(child.id))
    assert await owed(client, offices.school, "REP-01") == []
    violence = {"situations": ["domestic_violence"]}
    other = await a_child(database, VILLAGE)
    await filed(client, offices.school, child_id=str(child.id), **violence)
    await filed(client, offices.village, child_id=str(other.id), **violence)
    await filed(client, offices.village, child_id=str(child.id), situations=["living_alone"])
    await run_jobs(database)
    assert await states(client, offices.village, "REP-01") == ["open"]
    unnamed = {"child_id": None, "visit_id": url.rpartition("/")[2], **violence}
    report_id = await filed(client, offices.village, **unnamed)
    await run_jobs(database)
    [duty] = await owed(client, offices.village, "REP-01")
    assert (duty["state"], duty["discharged_by"]) == ("discharged", report_id)
    [seen] = await owed(client, offices.county, "REP-01")
    assert (seen["state"], seen["discharged_by"]) == ("discharged", None), "nor who reported"
    instead = a_report(child_id=str(other.id), **violence)
    await step(client, offices.village, report_id, "supersession", instead)
    await run_jobs(database)
    assert await states(client, offices.village, "REP-01") == ["open"]


async def test_who_writes_into_a_file_that_a_child_lives_alone_owes_a_report(
    client, database, settings, offices
) -> None:
    """REP-01: 在工作中发现…单独居住生活…监护人…不履行监护责任…不法侵害, wherever it is written."""
    body = a_file(VILLAGE)
    body["identity"]["birth_date"] = "2016-03-01"
    answer = await client.post("/v1/children", json=body, headers=offices.village.headers)
    child_id, path = answer.json()["id"], f"/v1/children/{answer.json()['id']}"

    async def write(caller, version, **sections):
        headers = {**caller.headers, "if-match": f'"{version}"'}
        answer = await client.patch(path, json=sections, headers=headers)
        assert answer.status_code == 200, answer.text
        await run_jobs(database)

    await write(offices.village, 1, welfare={"poor": True})
    assert await owed(client, offices.village, "REP-01") == []
    said = [  # what one report tells of, the police answer in a way that may be the next one's, too
        ({"guardianship": {"harm": ["abuse"]}}, "domestic_violence", "open"),
        ({"guardianship": {"harm": ["abuse", "unlawful_harm"]}}, "accident_or_harm", "discharged"),
        ({"guardianship": {"kind": "none"}}, "guardian_failure", "open"),
        ({"residence": {"lives_with": ["alone"]}}, "living_alone", "discharged"),
    ]
    for nth, (sections, situation, state) in enumerate(said):
        await write(offices.village, 2 + 2 * nth, **sections)
        await write(offices.village, 3 + 2 * nth, welfare={"poor": bool(nth % 2)})
        told = await rows(
            database, "events WHERE wire_name = 'children.situation_found' ORDER BY id"
        )
        assert len(told) == nth + 1, "what was written before is not found again"
        assert told[-1]["data"]["found"] == [situation]
        before = await states(client, offices.village, "REP-01")
        assert before == ["discharged"] * nth + [state], situation
        duty, *_ = await owed(client, offices.township, "REP-01")
        bearer = {
            "role": "village_director",
            "agency_id": str(offices.village.agency_id),
            "stands_in_for": None,
        }
        assert (duty["bearer"], duty["child_id"]) == (bearer, child_id)
        assert duty["due_at"] == "2026-11-20T03:00:00Z", "第一时间"
        await filed(client, offices.village, child_id=child_id, situations=[situation])
        await run_jobs(database)
        assert "open" not in await states(client, offices.village, "REP-01"), situation
    await write(offices.county, 10, guardianship={"kind": "parent"})
    await write(offices.county, 11, guardianship={"kind": "none"})
    *_, duty = await owed(client, offices.county, "REP-01")
    assert (duty["state"], duty["bearer"]["role"]) == ("open", "civil_affairs"), "whoever writes it"


async def test_a_mass_organisation_that_finds_it_in_its_work_owes_a_report(
    client, database, settings
) -> None:
    """REP-02: 在开展活动或工作中发现…疑似遭受家庭暴力…的,应当在第一时间向公安机关报告."""
    beipiao = 211381000000  # whose text binds it
    child = await a_child(database, beipiao + 101001)
    county = await a_caller(database, settings, "civil_affairs", beipiao)
    agency = await an_agency(database, "womens_federation", beipiao)
    women = await a_caller(database, settings, "reporting_body", beipiao, agency_id=agency)
    asked = {"to_agency_id": str(women.agency_id), "needs": ["distress"]}
    path = f"/v1/children/{child.id}/referrals"
    answer = await client.post(path, json=asked, headers=county.headers)
    referral = answer.json()
    for version, (found, state) in enumerate(
        [([], []), (["missing"], []), (["domestic_violence", "missing"], ["open"])], 1
    ):
        answer = await client.post(
            f"/v1/referrals/{referral['id']}/answer",
            json={"answer": "accepted", "found": found},
            headers={**women.headers, "if-match": f'"{version}"'},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["answer"]["found"] == found
        await run_jobs(database)
        assert await states(client, women, "REP-01") == state, "失踪 is not in its list"
    assert await states(client, county, "REP-01") == [], "who reports is nobody's to know"
    assert await told_to(database, "referrals.situation_found") == [[], []]
    assert (await client.get(f"{path}", headers=county.headers)).json()["items"][0]["answer"][
        "found"
    ] == []
    [duty] = await owed(client, women, "REP-01")
    bearer = {"role": "reporting_body", "agency_id": str(women.agency_id), "stands_in_for": None}
    assert (duty["bearer"], duty["due_at"]) == (bearer, "2026-11-20T03:00:00Z")
    said = {"region_code": str(beipiao + 101001), "situations": ["domestic_violence"]}
    await filed(client, women, child_id=str(child.id), **said)
    await run_jobs(database)
    assert await states(client, women, "REP-01") == ["discharged"]


async def test_what_was_reported_before_the_phone_sent_the_visit_is_done(
    client, database, settings, offices, child, monkeypatch
) -> None:
    """What is found on a later day is found anew."""
    await filed(client, offices.village, child_id=str(child.id), situations=["violence, I think"])
    later = database.clock() + timedelta(days=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    village = renewed(database, settings, offices.village)
    for day, after in (("2026-11-20", {"discharged"}), ("2026-11-21", {"discharged", "open"})):
        await visited(client, database, village, child, BEATEN, visited_on=day)
        assert {*await states(client, village, "REP-01")} == after


@pytest.mark.parametrize("accused", ["township", "village"])
async def test_a_report_that_is_kept_from_somebody_shows_to_them_in_no_duty(
    client, database, settings, offices, child, accused, monkeypatch
) -> None:
    """AZ-8, also towards the agency that owes it."""
    await visited(client, database, offices.village, child, BEATEN)
    them = getattr(offices, accused)
    before = await owed(client, them, "REP-01")
    suspect = {"suspect_agency_id": str(them.agency_id)}
    violence = {"child_id": str(child.id), "situations": ["domestic_violence"]}
    await filed(client, offices.village, **violence, **suspect)
    await run_jobs(database)
    assert await told_to(database, "police_reports.report_owed") == [
        [str(offices.village.agency_id)]
    ]
    assert await told_to(database, "police_reports.report_made") == [[]]
    assert await owed(client, them, "REP-01") == before
    assert await states(client, them, "REP-01", state="discharged") == []
    assert len(await owed(client, them, "REP-01", state="open")) == 1
    assert await states(client, offices.county, "REP-01") == ["discharged"]
    record = await client.get(f"/v1/duties/{before[0]['id']}", headers=them.headers)
    assert (record.json()["state"], record.json()["told"]) == ("open", [])
    later = database.clock() + timedelta(hours=2)
    monkeypatch.setattr(database, "clock", lambda: later)
    role, place = before[0]["bearer"]["role"], VILLAGE
    if accused == "township":
        role, place = "township_supervisor", TOWNSHIP
    them = await a_caller(database, settings, role, place, agency_id=them.agency_id)
    county = await a_caller(
        database, settings, "civil_affairs", COUNTY, agency_id=offices.county.agency_id
    )
    [duty] = await owed(client, them, "REP-01", state="overdue")
    assert (duty["overdue_at"], duty["discharged_by"]) == (duty["due_at"], None)
    for caller, told in ((them, [["township_supervisor", "civil_affairs"]]), (county, [])):
        record = await client.get(f"/v1/duties/{duty['id']}", headers=caller.headers)
        assert [each["to"] for each in record.json()["told"]] == told
    for caller, done in ((them, 0), (county, 1)):
        counted = (await client.get("/v1/duties/summary", headers=caller.headers)).json()["rules"]
        [of_rule] = [each for each in counted if each["rule"] == "REP-01"]
        assert (of_rule["discharged"], of_rule["overdue"]) == (done, 1 - done)


async def test_what_was_late_before_such_a_report_shows_to_them_as_it_was(
    client, database, settings, offices, child, monkeypatch
) -> None:
    """AZ-8: what they read before, who was told when, is what they read after."""
    await visited(client, database, offices.village, child, BEATEN)
    later = database.clock() + timedelta(minutes=63)
    monkeypatch.setattr(database, "clock", lambda: later)
    await tick(database, "duties.mark_overdue")
    village, them = (renewed(database, settings, c) for c in (offices.village, offices.township))
    [duty] = await owed(client, them, "REP-01")

    async def read():
        answer = await client.get(f"/v1/duties/{duty['id']}", headers=them.headers)
        return answer.json()

    before = await read()
    assert [told["at"] for told in before["told"]] == ["2026-11-20T03:03:00Z"]
    suspect = {"suspect_agency_id": str(them.agency_id)}
    violence = {"child_id": str(child.id), "situations": ["domestic_violence"]}
    await filed(client, village, **violence, **suspect)
    await run_jobs(database)
    assert await states(client, village, "REP-01") == ["discharged"]
    assert await read() == before


async def test_a_finding_corrected_owes_it_later_and_two_people_take_it_back(
    client, database, offices, child, monkeypatch
) -> None:
    """A visit that was abnormal already may find more: that is announced, and owed."""
    poor = something_wrong(type="poverty", refer_to=[])
    url = await visited(client, database, offices.village, child, poor)

    async def act(caller, path="", body=None, method="POST"):
        etag = (await client.get(url, headers=caller.headers)).headers["etag"]
        headers = {**caller.headers, "if-match": etag}
        answer = await client.request(method, f"{url}{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        await run_jobs(database)

    await act(offices.village, body={"findings": [poor, BEATEN]}, method="PATCH")
    found = [r for r in await rows(database, "events") if r["wire_name"].endswith("_finding")]
    assert {tuple(row["data"]["types"]) for row in found} == {
        ("poverty",),
        ("domestic_violence", "poverty"),
    }
    assert await states(client, offices.village, "REP-01") == ["open"]
    await act(offices.village, "/withdrawal", {"findings": [poor], "words": "误点"})
    assert await states(client, offices.village, "REP-01") == ["open"]
    await act(offices.township, "/withdrawal/confirmation")
    assert await states(client, offices.village, "REP-01") == ["cancelled"]
    later = database.clock() + timedelta(minutes=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    await act(offices.village, body={"findings": [poor, BEATEN]}, method="PATCH")
    assert await states(client, offices.village, "REP-01") == ["open"]


async def test_the_police_owe_going_out_and_an_answer_to_every_situation(
    client, database, offices
) -> None:
    """REP-07: 第一时间出警调查; REP-08 to REP-13: to each situation its own measures."""
    both = ["domestic_violence", "missing"]
    report_id = await filed(client, offices.school, situations=both)
    await run_jobs(database)

    async def stand():
        await run_jobs(database)
        return [
            (await states(client, offices.police, rule))[0]
            for rule in ("REP-07.dispatch", "REP-08")
        ]

    for caller in (offices.police, offices.township, offices.county):
        [out] = await owed(client, caller, "REP-07.dispatch")
        [answer] = await owed(client, caller, "REP-08")
        assert (out["due_at"], answer["due_at"]) == ("2026-11-20T03:00:00Z", "2026-11-21T02:00:00Z")
        assert out["bearer"]["agency_id"] == str(offices.police.agency_id)
    silent = {**VIOLENCE, "omitted": []}
    for path, body, after in (
        ("acknowledgement", ACCEPT, ["open", "open"]),
        ("dispatch", DISPATCH, ["discharged", "open"]),
        ("dispositions", silent, ["discharged", "open"]),
        ("dispositions", VIOLENCE, ["discharged", "open"]),
        ("dispositions", FOUND, ["discharged", "discharged"]),
        ("dispositions", {**FOUND, "situations": ["living_alone"]}, ["discharged", "open"]),
    ):
        answer = await step(client, offices.police, report_id, path, body)
        assert answer.status_code == 201, answer.text
        assert await stand() == after


@pytest.mark.parametrize("role", ["school", "hospital", "reporting_body"])
async def test_who_reported_helps_the_police_who_ask_and_nobody_else_learns_who_it_is(
    client, database, settings, offices, role
) -> None:
    """REP-07: 强制报告责任人要协助公安机关做好调查和应急处置工作."""
    finder = await a_caller(database, settings, role, TOWNSHIP)
    report_id = await filed(client, finder)
    await step(client, offices.police, report_id, "dispatch", DISPATCH)
    await run_jobs(database)
    assert await owed(client, finder, "REP-07.help") == []
    asked = {**DISPATCH, "help_wanted": "请提供到校记录。"}
    help_ = {"helped_at": AT, "help_given": "已派老师陪同。"}
    for body, after in ((asked, "open"), (help_, "discharged")):
        path, caller = ("assistance", finder) if body is help_ else ("dispatch", offices.police)
        assert (await step(client, caller, report_id, path, body)).status_code == 201
        await run_jobs(database)
        [duty] = await owed(client, finder, "REP-07.help")
        assert (duty["state"], duty["due_at"]) == (after, "2026-11-21T02:00:00Z")
        assert duty["bearer"] == {
            "role": role,
            "agency_id": str(finder.agency_id),
            "stands_in_for": None,
        }
    for other in (offices.police, offices.township, offices.county, offices.village):
        assert await owed(client, other, "REP-07.help") == []
    denied = await step(client, offices.township, report_id, "assistance", help_)
    assert (denied.status_code, denied.json()["type"]) == (403, "/problems/not-your-part")
    said = {}
    for who, caller in (("finder", finder), ("police", offices.police), ("town", offices.township)):
        url = f"/v1/police-reports/{report_id}"
        read = (await client.get(url, headers=caller.headers)).json()
        said[who] = [
            (
                each["agency_id"],
                (each["details"] or {}).get("help_wanted"),
                (each["details"] or {}).get("help_given"),
            )
            for each in read["steps"]
            if each["step"] == "assisted" or (each["details"] or {}).get("help_wanted")
        ]
    police = str(offices.police.agency_id)
    assert said == {
        "finder": [
            (None, asked["help_wanted"], None),
            (str(finder.agency_id), None, help_["help_given"]),
        ],
        "police": [
            (police, asked["help_wanted"], None),
            (str(finder.agency_id), None, help_["help_given"]),
        ],
        "town": [(None, None, None)],
    }
    heard = await rows(database, "events")
    assert {row["wire_name"]: row["told_to"] for row in heard if ".help_" in row["wire_name"]} == {
        "police_reports.help_asked": [str(finder.agency_id)],
        "police_reports.help_given": [police],
    }
