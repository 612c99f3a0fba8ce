"""What is arranged for a child after a report to the police (REP-16, REP-17)."""

from datetime import timedelta
from typing import get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from app.core.data.db import SYSTEM
from app.police_reports.schemas import ServiceKind
from app.referrals.models import ReferralNeed
from app.referrals.schemas import ChildReferralCreate
from app.visits.schemas import AbnormalType, Domain
from tests.access.factories import a_caller, an_agency, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, filed, rows
from tests.police_reports.test_chain import ACCEPT, AT, NOTICE, step
from tests.police_reports.test_fast import CARED_FOR
from tests.police_reports.test_owing import owed, visited
from tests.referrals.test_referrals import act, listed
from tests.visits.factories import something_wrong


def test_a_referral_says_to_whom() -> None:
    for said in ({}, {"to_kind": "hospital", "to_agency_id": str(UUID(int=1))}):
        with pytest.raises(ValidationError, match="Say `to_kind` or `to_agency_id`"):
            ChildReferralCreate.model_validate({"needs": ["ill"], **said})


@pytest.fixture
async def hospital(database, settings, offices):
    return await a_caller(database, settings, "hospital", COUNTY)


def _services(*services):
    return {
        "arranged_at": AT,
        "services": [{"provider": "合成机构", "started": False, **each} for each in services],
    }


async def test_who_is_to_help_is_asked_and_owes_an_answer(
    client, database, offices, child, hospital
) -> None:
    """REP-16: 有针对性地安排…医疗救治…等专业服务; REP-17: 民政…要及时纳入保障范围."""
    report_id = await filed(client, offices.village, child_id=str(child.id))
    named = {"kind": "medical_treatment", "provider_agency_id": str(hospital.agency_id)}
    body = _services(named, {"kind": "social_assistance"}, {"kind": "counselling"})
    url = f"/v1/police-reports/{report_id}/services"
    for status in (201, 200):
        sent = {**body, "id": "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b44"}
        answer = await client.post(url, json=sent, headers=offices.township.headers)
        assert answer.status_code == status, answer.text
        await run_jobs(database)
    [duty] = await owed(client, hospital, "VIS-08")
    assert duty["bearer"] == {
        "role": "hospital",
        "agency_id": str(hospital.agency_id),
        "stands_in_for": None,
    }
    [asked] = await listed(client, hospital)
    assert (asked["needs"], asked["from_agency_id"], asked["visit_id"]) == (
        ["medical_treatment"],
        str(offices.township.agency_id),
        None,
    )
    [aid] = await listed(client, offices.county, held_by=str(offices.county.agency_id))
    assert (aid["needs"], aid["to_kind"]) == (["social_assistance"], "civil_affairs")
    done = await act(client, hospital, asked, "answer", answer="done", words="合成记录")
    assert done.status_code == 200
    await run_jobs(database)
    states = {each["child_id"]: each["state"] for each in await owed(client, hospital, "VIS-08")}
    assert states == {str(child.id): "discharged"}
    unknown = _services({**named, "provider_agency_id": report_id})
    answer = await client.post(url, json=unknown, headers=offices.township.headers)
    assert answer.json()["type"] == "/problems/receiver-unknown"


async def test_who_helps_an_unknown_child_is_asked_once_it_is_known(
    client, database, offices, child, hospital
) -> None:
    report_id = await filed(client, offices.village)
    named = {"kind": "counselling", "provider_agency_id": str(hospital.agency_id)}
    await step(client, offices.township, report_id, "services", _services(named))
    await run_jobs(database)
    assert await listed(client, hospital) == []
    known = {"identified_at": AT, "child_id": str(child.id), "basis": "合成记录"}
    await step(client, offices.township, report_id, "child", known)
    await run_jobs(database)
    assert [each["state"] for each in await listed(client, hospital)] == ["open"]
    wrong = {"withdrawn_at": AT, "basis": "合成记录"}
    await step(client, offices.township, report_id, "child/withdrawal", wrong)
    await run_jobs(database)
    assert [each["state"] for each in await listed(client, hospital)] == ["cancelled"]


async def test_what_comes_of_a_report_is_kept_from_whom_it_speaks_against(
    client, database, settings, offices, child, hospital
) -> None:
    """AZ-8: an accused village learns of no referral; an accused provider is not asked."""
    near = await a_caller(database, settings, "hospital", TOWNSHIP)
    kept = {"child_id": str(child.id), "suspect_agency_id": str(offices.village.agency_id)}
    report_id = await filed(client, offices.school, **kept)
    named = {"kind": "counselling", "provider_agency_id": str(hospital.agency_id)}
    await step(client, offices.township, report_id, "services", _services(named))
    await run_jobs(database)
    for caller, seen in ((offices.village, 0), (offices.township, 1), (hospital, 1)):
        assert len(await listed(client, caller)) == seen
        assert len(await owed(client, caller, "VIS-08")) == seen
    accused = {"child_id": str(child.id), "suspect_agency_id": str(near.agency_id)}
    report_id = await filed(client, offices.village, **accused)
    named = {"kind": "counselling", "provider_agency_id": str(near.agency_id)}
    await step(client, offices.township, report_id, "services", _services(named))
    await run_jobs(database)
    assert await listed(client, near) == []
    assert len(await listed(client, hospital)) == 2


async def test_who_is_accused_by_now_hears_nothing_of_what_it_arranged(
    client, database, offices, child, hospital
) -> None:
    """AZ-8: named before the child is known, and so before anybody is asked to help it."""
    report_id = await filed(client, offices.school, suspect_agency_id="村干部")
    named = {"kind": "counselling", "provider_agency_id": str(hospital.agency_id)}
    await step(client, offices.county, report_id, "services", _services(named))
    accused = str(offices.county.agency_id)
    suspect = {"named_at": AT, "suspect_agency_id": accused, "basis": "合成记录"}
    known = {"identified_at": AT, "child_id": str(child.id), "basis": "合成记录"}
    for path, said in (("suspect", suspect), ("child", known)):
        taken = await step(client, offices.police, report_id, path, said)
        assert taken.status_code == 201, taken.text
        await run_jobs(database)
    [asked] = await listed(client, hospital)
    await act(client, hospital, asked, "answer", answer="done", words="合成记录")
    told = [each for each in await rows(database, "events") if "referrals." in each["wire_name"]]
    assert len(told) == 2
    for each in told:
        assert str(hospital.agency_id) in each["told_to"]
        assert accused not in each["told_to"]


async def test_what_an_accused_agency_took_on_is_asked_of_the_next_anew(
    client, database, settings, offices, child, hospital, monkeypatch
) -> None:
    """AZ-8: the next answers by a deadline of its own, and is not held to what was said before."""
    said = {"child_id": str(child.id), "suspect_agency_id": "村干部"}
    report_id = await filed(client, offices.school, **said)
    named = {"kind": "counselling", "provider_agency_id": str(hospital.agency_id)}
    await step(client, offices.county, report_id, "services", _services(named))
    await run_jobs(database)
    [asked] = await listed(client, hospital)
    assert (await act(client, hospital, asked, "answer", answer="accepted")).status_code == 200
    await run_jobs(database)
    later = database.clock() + timedelta(days=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    hospital, county = [renewed(database, settings, each) for each in (hospital, offices.county)]
    suspect = {"suspect_agency_id": str(hospital.agency_id), "basis": "合成记录", "named_at": AT}
    assert (await step(client, county, report_id, "suspect", suspect)).status_code == 201
    await run_jobs(database)
    assert await listed(client, hospital) == []
    [passed] = await listed(client, county, held_by=str(county.agency_id))
    assert (passed["id"], passed["waits"]) == (asked["id"], True)
    assert (passed["state"], passed["answer"]) == ("open", None)
    assert (asked["due_at"], passed["due_at"]) == ("2026-11-27T16:00:00Z", "2026-11-28T16:00:00Z")


def test_whatever_is_found_or_arranged_is_something_to_be_referred_for() -> None:
    needs = {str(each) for each in ReferralNeed}
    assert needs == {*map(str, AbnormalType), *map(str, Domain), *get_args(ServiceKind)}


ASSESSED = {
    "assessed_at": AT,
    "safety": "at_risk",
    "guardianship": "weak",
    "physical_health": "good",
    "mental_health": "fair",
    "participants": ["civil_affairs", "police", "school"],
    "summary": "孩子独居,情绪低落。",
}


async def test_a_provider_that_is_none_of_ours_is_answered_for_by_who_arranged_it(
    client, database, offices, child
) -> None:
    """REP-16: 有针对性地安排…心理疏导…等专业服务; 建立评估档案, to be printed."""
    report_id = await filed(client, offices.village, child_id=str(child.id))
    url = f"/v1/police-reports/{report_id}/assessment/document"
    early = await client.get(url, headers=offices.township.headers)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/not-assessed")
    await step(client, offices.township, report_id, "assessment", {**ASSESSED, "hardship": False})
    counselling = _services({"kind": "counselling", "provider": "阳光心理工作室"})
    await step(client, offices.township, report_id, "services", counselling)
    await run_jobs(database)
    [duty] = await owed(client, offices.township, "VIS-08")
    assert duty["bearer"]["agency_id"] == str(offices.township.agency_id)
    assert (duty["state"], duty["due_at"]) == ("open", "2026-11-27T16:00:00Z")
    [asked] = await listed(client, offices.township, held_by=str(offices.township.agency_id))
    assert (asked["needs"], asked["note"]) == (["counselling"], "阳光心理工作室")

    async def printed(caller=offices.township) -> dict[str, str]:
        answer = await client.get(url, headers=caller.headers)
        assert answer.status_code == 200, answer.text
        return {each["label"]: each["text"] for each in answer.json()["lines"]}

    assert (await printed())["安排服务 2026-11-20"] == "心理疏导:阳光心理工作室;待答复"
    done = await act(client, offices.township, asked, "answer", answer="done", words="合成记录")
    assert done.status_code == 200, done.text
    await run_jobs(database)
    assert [each["state"] for each in await owed(client, offices.township, "VIS-08")] == [
        "discharged"
    ]
    file = await printed(offices.county)
    assert file["安排服务 2026-11-20"] == "心理疏导:阳光心理工作室;已办结"
    assert (file["安全处境"], file["监护情况"]) == ("存在风险", "监护不力")
    assert (file["参与方"], file["评估意见"]) == ("民政部门、公安机关、学校", "孩子独居,情绪低落。")
    for other in (offices.village, offices.police):
        assert (await client.get(url, headers=other.headers)).status_code == 403


@pytest.mark.parametrize(
    ("said", "poor", "needs"),
    [
        ({"hardship": True}, False, ["social_assistance"]),
        ({}, True, ["social_assistance"]),
        ({}, None, ["social_assistance"]),
        ({"hardship": False}, True, []),
        ({"guardianship": "absent"}, False, ["guardianship"]),
    ],
    ids=["said", "on_file", "nobody_knows", "said_not", "unguarded"],
)
async def test_what_is_assessed_asks_civil_affairs(
    client, database, offices, child, said, poor, needs
) -> None:
    """REP-17: 监护人家庭经济困难…民政…要及时纳入保障范围; REP-19: 监护干预机制."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET welfare = jsonb_build_object('poor', $2::boolean) WHERE id = $1",
            *(child.id, poor),
        )
    report_id = await filed(client, offices.village, child_id=str(child.id))
    for _ in range(2):  # assessed again, it is asked no more
        await step(client, offices.township, report_id, "assessment", {**ASSESSED, **said})
        await run_jobs(database)
    held = await listed(client, offices.county, held_by=str(offices.county.agency_id))
    assert [each["needs"] for each in held] == [needs] * bool(needs)
    find_out = [each["note"] for each in held if each["note"]]
    assert len(find_out) == (not said and poor is None), "what is not known is found out"
    duties = await owed(client, offices.county, "VIS-08")
    assert [(each["bearer"]["role"], each["due_at"]) for each in duties] == [
        ("civil_affairs", "2026-11-27T16:00:00Z")  # 及时
    ] * bool(needs)
    if needs:
        await step(
            client, offices.township, report_id, "assessment", {**ASSESSED, "hardship": False}
        )
        await run_jobs(database)
        assert [each["state"] for each in await listed(client, offices.county)] == ["cancelled"]


async def test_the_four_mechanisms_hold_for_a_child_of_a_town(
    client, database, offices, child
) -> None:
    """REP-19: 面向城乡困境儿童的强制报告机制、应急处置机制、评估帮扶机制、监护干预机制."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            """UPDATE children SET hukou = '{"type": "urban"}' WHERE id = $1""", child.id
        )
    unguarded = something_wrong(refer_to=[])
    await visited(client, database, offices.village, child, unguarded)
    situations = {"situations": ["guardian_failure"]}
    unlooked_after = {**ASSESSED, "guardianship": "absent", "hardship": False}
    report_id = await filed(client, offices.village, child_id=str(child.id), **situations)
    await run_jobs(database)
    for caller, path, body in (
        (offices.police, "acknowledgement", ACCEPT),
        (offices.police, "dispositions", CARED_FOR),
        (offices.police, "township-notice", NOTICE),
        (offices.township, "assessment", unlooked_after),
    ):
        answer = await step(client, caller, report_id, path, body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
    for rule in ("REP-01", "REP-08", "REP-15"):
        [duty] = await owed(client, offices.county, rule)
        assert duty["state"] == "discharged", rule
    [intervening] = await listed(client, offices.county)
    await act(client, offices.county, intervening, "answer", answer="accepted", words="合成记录")
    await run_jobs(database)
    for rule, state in (("VIS-08", "discharged"), ("VIS-08.done", "open")):
        [duty] = await owed(client, offices.county, rule)
        assert (duty["bearer"]["role"], duty["state"]) == ("civil_affairs", state)


async def test_other_departments_of_assistance_are_asked_as_well(
    client, database, settings, offices, child
) -> None:
    """REP-17: 民政及其他社会救助部门: civil affairs, and whom the township names beside them."""
    agency = await an_agency(database, "disabled_persons_federation", COUNTY)
    federation = await a_caller(database, settings, "reporting_body", COUNTY, agency_id=agency)
    report_id = await filed(client, offices.village, child_id=str(child.id))
    await step(client, offices.township, report_id, "assessment", {**ASSESSED, "hardship": True})
    named = {"kind": "social_assistance", "provider_agency_id": str(agency)}
    await step(client, offices.township, report_id, "services", _services(named))
    await run_jobs(database)
    asked = {each["to_kind"]: each["state"] for each in await listed(client, offices.county)}
    assert asked == {"civil_affairs": "open", "disabled_persons_federation": "open"}
    assert len(await owed(client, federation, "VIS-08")) == 1
    await step(
        client, offices.township, report_id, "services", _services({"kind": "social_assistance"})
    )
    await run_jobs(database)
    states = [each["state"] for each in await listed(client, offices.county)]
    assert sorted(states) == ["cancelled", "open", "open"], "civil affairs are asked once"
    asked = await listed(client, offices.county, held_by=str(offices.county.agency_id))
    [taken_on] = [each for each in asked if each["state"] == "open"]
    await act(client, offices.county, taken_on, "answer", answer="accepted")
    await run_jobs(database)
    [duty] = await owed(client, offices.county, "VIS-08.done")
    assert (duty["state"], duty["due_at"]) == ("open", "2026-12-20T16:00:00Z"), "and taken in"
