"""What is asked about a child's data, by when it is answered, and how."""

import hashlib

import pytest

from app.core.data.db import SYSTEM
from app.duties import escalating
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, rows
from tests.rights.factories import a_filed_child, answered, asked, copied, post, problem, shown
from tests.rights.matrix import a_request


@pytest.fixture
async def child_id(client, offices):
    return await a_filed_child(client, offices.village)


async def _duties(client, caller):
    return (await shown(client, caller, "/duties?rule=PIP-50"))["items"]


async def test_a_request_is_owed_an_answer_by_the_post_of_the_place_until_a_day(
    client, database, offices, child_id
) -> None:
    request = await asked(client, offices.village, child_id, received_on="2026-11-10")
    # fifteen whole days after it was asked, not after it was typed in
    assert request["due_at"] == "2026-11-25T16:00:00Z"
    assert (request["state"], request["overdue"], request["answer"]) == ("open", False, None)
    await run_jobs(database)
    (duty,) = await _duties(client, offices.township)
    assert duty["due_at"] == request["due_at"]
    assert duty["state"] == "open"
    refused = await answered(
        client, offices.township, request, outcome="refused", reason="not_entitled"
    )
    assert refused.status_code == 200, refused.text
    await run_jobs(database)
    assert [each["state"] for each in await _duties(client, offices.township)] == ["discharged"]


async def test_what_is_late_says_so_and_climbs_to_the_county(
    client, database, offices, child_id
) -> None:
    request = await asked(client, offices.village, child_id, received_on="2026-10-01")
    other = await asked(client, offices.village, child_id)
    assert (request["overdue"], other["overdue"]) == (True, False)
    for said, expected in (("true", request), ("false", other)):
        found = (await shown(client, offices.county, f"/rights-requests?overdue={said}"))["items"]
        assert [each["id"] for each in found] == [expected["id"]]
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        await escalating.mark_overdue(tx, COUNTY)
    told = [each["wire_name"] for each in await rows(database, "events")]
    assert "duties.duty_overdue" in told


async def test_who_asks_and_what_they_are_answered_is_sealed(
    client, database, offices, child_id
) -> None:
    request = await asked(
        client, offices.village, child_id, kind="correction", words="出生日期写错", contact="村口"
    )
    assert request["asked"] == {
        "name": "样老丙",
        "relation": "外婆",
        "contact": "村口",
        "words": "出生日期写错",
    }
    answer = await answered(
        client, offices.township, request, outcome="refused", reason="found_right", words="查无此误"
    )
    told = answer.json()["answer"]
    assert (told["outcome"], told["reason"], told["words"]) == (
        "refused",
        "found_right",
        "查无此误",
    )
    assert "起诉" in told["complain_to_zh"]
    stored = str(await rows(database, "rights_requests")).encode()
    announced = str(await rows(database, "events"))
    for secret in ("样老丙", "出生日期写错", "查无此误", "村口"):
        assert secret.encode() not in stored
        assert secret not in announced


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": "refused"},
        {"outcome": "partly"},
        {"outcome": "granted", "reason": "not_held"},
        {"outcome": "refused", "reason": "case_open"},
        {"outcome": "refused", "reason": "not_held", "words": ""},
    ],
)
async def test_a_refusal_is_written_and_has_a_reason(client, offices, child_id, said) -> None:
    request = await asked(client, offices.village, child_id, kind="explanation")
    answer = await answered(client, offices.township, request, **said)
    assert problem(answer) == (422, "validation-failed")


async def test_nothing_is_given_to_whom_nobody_saw(client, offices, child_id) -> None:
    request = await asked(client, offices.village, child_id, identity_check="not_checked")
    assert (
        "copyChildData"
        not in (await shown(client, offices.township, f"/rights-requests/{request['id']}"))[
            "permitted"
        ]
    )
    path = f"/rights-requests/{request['id']}/copy"
    refused = await post(client, offices.township, path, None, '"1"')
    assert problem(refused) == (409, "identity-not-checked")
    assert problem(await answered(client, offices.township, request)) == (
        409,
        "identity-not-checked",
    )
    refusal = await answered(
        client, offices.township, request, outcome="refused", reason="not_entitled"
    )
    assert refusal.status_code == 200


async def test_a_copy_is_granted_once_it_was_made_and_its_hash_alone_is_kept(
    client, database, offices, child_id
) -> None:
    request = await asked(client, offices.village, child_id)
    assert problem(await answered(client, offices.township, request)) == (409, "copy-not-made")
    copy = await copied(client, offices.township, request)
    now = await shown(client, offices.township, f"/rights-requests/{request['id']}")
    assert now["copy_sha256"] == hashlib.sha256(copy.content).hexdigest()
    assert (now["version"], now["copied_at"]) == (2, "2026-11-20T02:00:00Z")
    assert "样小一".encode() not in str(await rows(database, "rights_requests")).encode()
    (entry,) = [
        row for row in await rows(database, "audit_entries") if row["operation"] == "copyChildData"
    ]
    assert {"identity", "hukou", "rights"} <= {*entry["field_groups"]}
    answer = await answered(client, offices.township, now)
    assert (answer.status_code, answer.json()["state"]) == (200, "answered")
    again = await answered(client, offices.township, answer.json())
    assert problem(again) == (409, "rights-request-ended")
    stale = await post(
        client, offices.township, f"/rights-requests/{request['id']}/copy", None, '"3"'
    )
    assert problem(stale) == (409, "rights-request-ended")


async def test_a_copy_answers_what_asks_for_one(client, offices, child_id) -> None:
    request = await asked(client, offices.village, child_id, kind="explanation")
    path = f"/rights-requests/{request['id']}/copy"
    assert problem(await post(client, offices.township, path, None, '"1"')) == (
        409,
        "no-copy-asked",
    )
    assert (await answered(client, offices.township, request)).status_code == 200


async def test_it_is_answered_by_a_person_of_the_office_in_charge(
    client, database, settings, offices, child_id
) -> None:
    request = await asked(client, offices.village, child_id, kind="explanation")
    refused = await answered(client, offices.village, request)
    assert problem(refused) == (403, "scope-missing")
    machine = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    assert problem(await answered(client, machine, request)) == (403, "person-required")


async def test_taken_back_it_is_owed_no_more(client, database, offices, child_id) -> None:
    request = await asked(client, offices.village, child_id)
    await run_jobs(database)
    path = f"/rights-requests/{request['id']}/cancellation"
    answer = await post(client, offices.village, path, None, '"1"')
    assert (answer.status_code, answer.json()["state"]) == (200, "taken_back")
    await run_jobs(database)
    assert [each["state"] for each in await _duties(client, offices.township)] == ["cancelled"]
    again = await post(client, offices.village, path, None, '"2"')
    assert problem(again) == (409, "rights-request-ended")


@pytest.mark.parametrize("who", ["village", "township", "county"])
async def test_who_takes_one_back_does_not_have_the_last_word(
    client, database, settings, offices, child_id, who
) -> None:
    """Who owes the answer could say that nobody wants it: another person looks at that."""
    request = await asked(client, offices.village, child_id)
    path = f"/rights-requests/{request['id']}/cancellation"
    assert (await post(client, getattr(offices, who), path, None, '"1"')).status_code == 200
    colleague = await a_caller(database, settings, "civil_affairs", COUNTY)
    elsewhere = await a_caller(database, settings, "civil_affairs", COUNTY - 1000000)
    [review] = (await shown(client, colleague, "/reviews"))["items"]
    assert (review["operation"], review["path"]) == ("cancelRightsRequest", f"/v1{path}")
    assert (await shown(client, elsewhere, "/reviews"))["items"] == []
    place = f"/reviews/{review['id']}/finding"
    body = {"finding": "improper", "note": "合成记录:家长并未撤回。"}
    own = await post(client, getattr(offices, who), place, body)
    assert own.status_code in {403, 404}, "not by who did it"
    assert (await post(client, colleague, place, body)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"received_on": "2026-11-21"}, (422, "rights-request-invalid")),
        ({"relation": None}, (422, "validation-failed")),
    ],
)
async def test_refuses(client, offices, child_id, fields, expected) -> None:
    path = f"/children/{child_id}/rights-requests"
    answer = await post(client, offices.village, path, a_request(**fields))
    assert problem(answer) == expected


async def test_lists_narrow(client, offices, child_id) -> None:
    other = await a_filed_child(
        client,
        offices.village,
        identity={"name": "样小二", "sex": "male", "birth_date": "2015-02-03"},
    )
    first = await asked(client, offices.village, child_id)
    second = await asked(client, offices.village, other, kind="erasure")

    async def found(path):
        return [each["id"] for each in (await shown(client, offices.county, path))["items"]]

    assert await found("/rights-requests") == [second["id"], first["id"]]
    assert await found(f"/rights-requests?child_id={other}") == [second["id"]]
    assert await found("/rights-requests?kind=access&state=open") == [first["id"]]
    assert await found("/rights-requests?state=answered") == []
    assert await found("/rights-requests?permitted=copyChildData") == [first["id"]]
    assert await found(f"/rights-requests?region_code={TOWNSHIP}") == [second["id"], first["id"]]
    assert await found(f"/children/{other}/rights-requests") == [second["id"]]


async def test_who_only_supervises_answers_nothing(client, offices, child_id) -> None:
    request = await asked(client, offices.village, child_id)
    headers = {
        **offices.township.headers,
        "if-match": f'"{request["version"]}"',
        "purpose-of-use": "supervision",
    }
    body = {"outcome": "refused", "reason": "needed_by_law", "words": "合成答复"}
    path = f"/v1/rights-requests/{request['id']}/answer"
    refused = await client.post(path, json=body, headers=headers)
    assert problem(refused) == (403, "purpose-not-allowed")
