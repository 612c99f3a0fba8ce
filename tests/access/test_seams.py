"""What insiders try where two parts of it meet: an end ahead, somebody suspended, a merger, a code
of before.
"""

from datetime import date

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import (
    PATH,
    REASON,
    STATION,
    approved,
    code,
    create,
    problem,
    propose,
    send_by_two,
)
from tests.access.apps import Browser, Holder
from tests.access.apps import a_person as an_account
from tests.access.factories import a_caller, an_agency
from tests.agencies.factories import a_holding, a_person, a_post
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE, the_offices
from tests.regions.factories import some_regions
from tests.rights.factories import a_filed_child, asked

NEW = "湖边 seven lanterns"


@pytest.fixture
async def county(database, settings):
    await some_regions(database, VILLAGE)
    return await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)


async def _administrators(database, settings, agency, number):
    return [
        await a_caller(database, settings, "administrator", VILLAGE, agency_id=agency)
        for _ in range(number)
    ]


async def _reviews(client, who):
    page = await client.get("/v1/reviews", headers=who.headers)
    return [(each["operation"], each["permitted"]) for each in page.json()["items"]]


OWED = [("suspendStaff", ["finishReview"])]


async def test_who_suspends_the_only_colleague_is_reviewed_above(
    client, database, settings, operators
) -> None:
    """Whoever could review it is the one who was suspended."""
    await some_regions(database, VILLAGE)
    school = await an_agency(database, "school", VILLAGE)
    one, two = await _administrators(database, settings, school, 2)
    at = f"/v1/staff/{two.subject_id}/suspension"
    assert (await client.post(at, headers=one.headers)).status_code == 200
    assert await _reviews(client, operators[0]) == OWED


async def test_what_one_did_before_goes_above_with_the_last_colleague(
    client, database, settings, operators
) -> None:
    """One suspends two, one after the other: of the first the second would have been the judge."""
    await some_regions(database, VILLAGE)
    school = await an_agency(database, "school", VILLAGE)
    one, *others = await _administrators(database, settings, school, 3)
    for each in others:
        at = f"/v1/staff/{each.subject_id}/suspension"
        assert (await client.post(at, headers=one.headers)).status_code == 200
    assert await _reviews(client, operators[0]) == OWED * 2


async def test_what_is_to_be_reviewed_goes_above_when_an_office_closes(
    client, database, settings, operators
) -> None:
    await some_regions(database, VILLAGE)
    school = await an_agency(database, "school", VILLAGE)
    people = await _administrators(database, settings, school, 3)
    at = f"/v1/staff/{people[1].subject_id}/suspension"
    assert (await client.post(at, headers=people[0].headers)).status_code == 200
    for each in people:
        at = f"/v1/staff/{each.subject_id}/end"
        assert (await client.post(at, headers=operators[0].headers)).status_code == 200
    body = {"reason": REASON}
    at = f"/v1/agencies/{school}/closure"
    closed = await client.post(at, json=body, headers=operators[0].headers)
    assert closed.status_code == 200, closed.text
    assert OWED[0] in await _reviews(client, operators[1])


async def test_what_is_to_be_reviewed_goes_along_when_offices_merge(
    client, database, settings, operators
) -> None:
    await some_regions(database, VILLAGE)
    school, other = [await an_agency(database, "school", VILLAGE) for _ in range(2)]
    one, two, _ = await _administrators(database, settings, school, 3)
    at = f"/v1/staff/{two.subject_id}/suspension"
    assert (await client.post(at, headers=one.headers)).status_code == 200
    merger = ("mergeAgency", "POST", f"/v1/agencies/{school}/merger", {"successor_id": str(other)})
    assert (await send_by_two(client, *operators, *merger)).status_code == 200
    [theirs] = await _administrators(database, settings, other, 1)
    assert await _reviews(client, theirs) == OWED


async def test_nobody_is_another_offices_before_they_have_left(
    client, database, settings, county
) -> None:
    """Else whoever gives posts would suspend an officer of the police who leaves next summer."""
    officer = await a_caller(database, settings, "police", TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE post_holdings SET until = '2027-06-30' WHERE staff_id = $1", officer.subject_id
        )
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    body = {"staff_id": str(officer.subject_id), "since": "2027-07-01"}
    taken = await client.post(f"/v1/posts/{post.id}/holdings", json=body, headers=county.headers)
    assert problem(taken) == (422, "staff-not-of-agency")
    at = f"/v1/staff/{officer.subject_id}/suspension"
    assert (await client.post(at, headers=county.headers)).status_code == 404
    assert (await client.get("/v1/me", headers=officer.headers)).status_code == 200


async def test_an_end_that_lies_ahead_is_brought_forward(client, database, county) -> None:
    """Else a bribed clerk would end a post in 2099, and nobody could end it any more."""
    post = await a_post(database, "village_committee", VILLAGE, "village_director")
    held = await a_holding(
        database, post, await a_person(database, post.agency_id), date(2026, 9, 1)
    )
    for until, status in (("2099-12-31", 200), ("2026-11-20", 200), ("2026-11-19", 409)):
        at = f"/v1/posts/{post.id}/holdings/{held.id}/end"
        answer = await client.post(at, json={"until": until}, headers=county.headers)
        assert answer.status_code == status, answer.text


async def test_who_turns_out_to_be_the_same_person_has_approved_nothing(
    client, database, operators
) -> None:
    approval = await approved(client, *operators, "createAgency", PATH, STATION)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.executemany(
            "INSERT INTO same_persons (person_id, staff_id) VALUES ($1, $2)",
            [(person, one.subject_id) for person in [new_id()] for one in operators],
        )
    assert code(await create(client, operators[0], approval=approval)) == "approver_left"


async def test_who_reads_a_request_that_waits_is_recorded(client, database, operators) -> None:
    one, two = operators
    place = (await propose(client, one, "createAgency", PATH, STATION)).headers["location"]
    assert (await client.get(place, headers=two.headers)).status_code == 200
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT actor FROM audit_entries WHERE operation = 'readApproval'"
        )
    assert [row["actor"] for row in rows] == [f"staff:{two.subject_id}"]


async def test_what_is_proposed_of_a_child_is_read_by_who_could_do_it(
    client, database, settings
) -> None:
    """The administrator of the office's accounts reads no answer to a family by it."""
    offices = await the_offices(database, settings)
    one = offices.township
    child = await a_filed_child(client, offices.village)
    request = await asked(client, offices.village, child, kind="erasure")
    path = f"/v1/rights-requests/{request['id']}/answer"
    body = {"outcome": "refused", "reason": "kept_by_law", "words": "合成答复"}
    proposed = await propose(client, one, "answerRightsRequest", path, body)
    assert proposed.status_code == 201, proposed.text
    clerk, colleague = [
        await a_caller(database, settings, role, TOWNSHIP, agency_id=one.agency_id)
        for role in ("administrator", "township_supervisor")
    ]
    place = proposed.headers["location"]
    assert (await client.get(place, headers=clerk.headers)).status_code == 404
    listed = await client.get("/v1/approvals", headers=clerk.headers)
    assert listed.json()["items"] == []
    assert (await client.get(place, headers=colleague.headers)).json()["reason"] == REASON


async def test_a_code_for_a_phone_ends_with_a_reset(client, database, operators, unique) -> None:
    person = await an_account(database, unique)
    at = f"/v1/staff/{person.staff_id}"
    phone = await send_by_two(client, *operators, "inviteDevice", "POST", f"{at}/device-code")
    how = ("resetPassword", "POST", f"{at}/password-reset")
    reset = (await send_by_two(client, *operators, *how)).json()["code"]
    browser = await Browser(client).open("/oauth/invitation")
    await browser.send(code=reset)
    assert (await browser.send(new_password=NEW, again=NEW)).status_code == 200
    said = {"code": phone.json()["code"], "name": "红米 Note"}
    assert (await Holder().post(client, "/oauth/devices", said)).status_code == 400
