"""What is told, consented to and withdrawn. Who sees it and what is audited, the matrix proves."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.consents.matrix import A_NOTICE, a_consent, a_withdrawal
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, an_agency, rows


async def _post(client, caller, path, body, if_match=None):
    headers = {**caller.headers, **({"if-match": if_match} if if_match else {})}
    return await client.post(f"/v1{path}", json=body, headers=headers)


def _problem(answer):
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def _code(answer):
    return answer.json()["errors"][0]["code"]


async def _consented(client, caller, child, **fields):
    answer = await _post(client, caller, f"/children/{child.id}/consents", a_consent(**fields))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_each_collection_says_its_ground_the_law_and_what_is_told(client, director) -> None:
    answer = await client.get("/v1/collections", headers=director.headers)
    found = {each["code"]: each for each in answer.json()["items"]}
    assert found["visits"]["basis"] == "statutory_duty"
    assert [law["id"] for law in found["visits"]["laws"]] == ["PIP-13", "MPL-43"]
    assert "走访" in found["visits"]["notices"][0]["zh"]
    assert [code for code, each in found.items() if each["basis"] == "consent"] == [
        "referral_to_organisation"
    ]
    # What may endanger a child is told by the police, and it says so.
    assert (found["protection"]["notices"], found["protection"]["basis"]) == ([], "emergency")
    assert "危及" in found["protection"]["untold_zh"]


async def test_that_a_guardian_was_told_is_kept_in_the_text_of_that_day(
    client, director, child
) -> None:
    path = f"/children/{child.id}/notices"
    body = {**A_NOTICE, "collections": ["visits", "file", "visits"], "told_on": "2026-11-18"}
    answer = await _post(client, director, path, body)
    assert answer.status_code == 201, answer.text
    found = (await client.get(f"/v1{path}", headers=director.headers)).json()["items"]
    assert {(each["collection"], each["text_version"]) for each in found} == {
        ("visits", 1),
        ("file", 1),
    }
    assert found[0]["told_on"] == "2026-11-18"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"collections": ["nothing"]}, "collection_unknown"),
        ({"collections": ["visits", "protection"]}, "not_told"),
        ({"told_on": "2026-11-21"}, "date_in_future"),
    ],
)
async def test_what_cannot_have_been_told_is_refused(client, director, child, fields, code) -> None:
    answer = await _post(client, director, f"/children/{child.id}/notices", {**A_NOTICE, **fields})
    assert _problem(answer) == (422, "notice-invalid")
    assert _code(answer) == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"collection": "visits"}, "rests_on_law"),
        ({"collection": "nothing"}, "rests_on_law"),
        ({"text_version": 2}, "text_unknown"),
        ({"given_by": "child"}, "guardian_needed"),
        ({"form": "posted"}, "no_act_of_theirs"),
        ({"relation": None}, "missing"),
        ({"given_on": "2026-11-21"}, "date_in_future"),
    ],
)
async def test_no_silence_no_child_under_fourteen_and_nothing_for_what_rests_on_law(
    client, database, director, child, fields, code
) -> None:
    answer = await _post(client, director, f"/children/{child.id}/consents", a_consent(**fields))
    assert _problem(answer) == (422, "consent-invalid")
    assert _code(answer) == code
    assert await rows(database, "consents") == []


async def test_from_fourteen_on_the_child_consents_itself(client, database, director) -> None:
    child = await a_child(database, VILLAGE, birth_date=date(2012, 11, 20))
    assert (await _consented(client, director, child, given_by="child"))["given_by"] == "child"
    younger = await a_child(database, VILLAGE, birth_date=date(2012, 11, 21))
    refused = await _post(
        client, director, f"/children/{younger.id}/consents", a_consent(given_by="child")
    )
    assert _code(refused) == "guardian_needed"


async def test_a_consent_stands_once_and_who_gave_it_is_sealed(
    client, database, director, child
) -> None:
    consent = await _consented(client, director, child)
    assert consent["person"] == {"name": "样老丙", "relation": "外婆"}
    again = await _post(client, director, f"/children/{child.id}/consents", a_consent())
    assert _problem(again) == (409, "consent-stands")
    assert "样老丙".encode() not in str(await rows(database, "consents")).encode()
    (event,) = await rows(database, "events")
    assert event["wire_name"] == "consents.consent_given"


async def test_a_withdrawal_is_kept_and_a_new_consent_may_follow(client, director, child) -> None:
    consent = await _consented(client, director, child)
    path = f"/consents/{consent['id']}/withdrawal"
    stale = await _post(client, director, path, a_withdrawal(), '"2"')
    assert _problem(stale) == (412, "precondition-failed")
    answer = await _post(client, director, path, a_withdrawal(), '"1"')
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["withdrawal"]["withdrawn_on"] == "2026-11-20"
    assert (told["version"], told["permitted"]) == (2, [])
    again = await _post(client, director, path, a_withdrawal(), '"2"')
    assert _problem(again) == (409, "consent-withdrawn-already")
    await _consented(client, director, child)
    listed = await client.get(f"/v1/children/{child.id}/consents", headers=director.headers)
    stands = [each["withdrawal"] is None for each in listed.json()["items"]]
    assert sorted(stands) == [False, True]
    narrowed = await client.get(
        f"/v1/children/{child.id}/consents?permitted=withdrawConsent", headers=director.headers
    )
    assert len(narrowed.json()["items"]) == 1


async def test_a_child_of_any_age_may_withdraw(client, director, child) -> None:
    consent = await _consented(client, director, child)
    body = a_withdrawal(withdrawn_by="child", name="测一", relation=None)
    answer = await _post(client, director, f"/consents/{consent['id']}/withdrawal", body, '"1"')
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"form": "posted"}, "no_act_of_theirs", "#/form"),
        ({"relation": None}, "missing", "#/relation"),
        ({"withdrawn_on": "2026-11-21"}, "date_in_future", "#/withdrawn_on"),
    ],
)
async def test_a_withdrawal_is_somebodys_act_and_none_of_tomorrow(
    client, director, child, fields, code, pointer
) -> None:
    """What cannot have been said takes nothing back: the consent stands as it was."""
    consent = await _consented(client, director, child)
    path = f"/consents/{consent['id']}/withdrawal"
    refused = await _post(client, director, path, a_withdrawal(**fields), '"1"')
    assert _problem(refused) == (422, "consent-invalid")
    assert (_code(refused), refused.json()["errors"][0]["pointer"]) == (code, pointer)
    listed = await client.get(f"/v1/children/{child.id}/consents", headers=director.headers)
    [stands] = listed.json()["items"]
    assert (stands["version"], stands["withdrawal"]) == (1, None)


REFERRED = {"to_kind": "after_school_care", "needs": ["study"]}


async def test_without_consent_no_organisation_that_has_no_duty_is_told_of_a_child(
    client, database, offices
) -> None:
    await an_agency(database, "after_school_care", TOWNSHIP)
    child = await a_child(database, VILLAGE)
    path = f"/children/{child.id}/referrals"
    assert _problem(await _post(client, offices.village, path, REFERRED)) == (
        409,
        "consent-missing",
    )
    other = await a_child(database, VILLAGE)
    await _consented(client, offices.village, other)  # another child's is no consent of this one
    assert (await _post(client, offices.village, path, REFERRED)).status_code == 409
    await _consented(client, offices.village, child)
    assert (await _post(client, offices.village, path, REFERRED)).status_code == 201


async def test_withdrawal_stops_what_rests_on_it_and_nothing_that_rests_on_law(
    client, database, offices
) -> None:
    await an_agency(database, "after_school_care", TOWNSHIP)
    await an_agency(database, "hospital", TOWNSHIP)
    child = await a_child(database, VILLAGE)
    consent = await _consented(client, offices.village, child)
    path = f"/children/{child.id}/referrals"
    await _post(client, offices.village, path, REFERRED)
    await _post(client, offices.village, path, {"to_kind": "hospital", "needs": ["ill"]})
    await _post(
        client, offices.village, f"/consents/{consent['id']}/withdrawal", a_withdrawal(), '"1"'
    )
    assert _problem(await _post(client, offices.village, path, REFERRED)) == (
        409,
        "consent-missing",
    )
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        found = await tx.connection.fetch("SELECT to_kind, state FROM referrals")
    assert {tuple(each) for each in found} == {
        ("after_school_care", "cancelled"),
        ("hospital", "open"),
    }
