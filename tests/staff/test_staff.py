"""A person's life with an agency over HTTP: entered, invited, reset, suspended, gone."""

from datetime import timedelta

import pytest

from app.access import jobs
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import send_by_two
from tests.access.apps import (
    PASSWORD,
    Browser,
    a_person,
    an_app,
    an_authenticator,
    answer_of,
    authorization,
    exchange,
    pkce,
    refresh,
    sign_in,
    signed_in,
)
from tests.access.factories import a_caller, an_agency, signed_in_before
from tests.conftest import calling
from tests.regions.factories import some_regions

VILLAGE = 120119101200
COUNTY, CITY, NATION = 120119000000, 120000000000, 0
NEW = "湖边 seven lanterns"


@pytest.fixture
async def school(database):
    await some_regions(database, VILLAGE)
    return await an_agency(database, "school", VILLAGE)


@pytest.fixture
async def administrator(database, settings, school):
    return await a_caller(database, settings, "administrator", VILLAGE, agency_id=school)


@pytest.fixture
async def second(database, settings, school):
    """Another administrator of the school."""
    return await a_caller(database, settings, "administrator", VILLAGE, agency_id=school)


@pytest.fixture
async def operators(database, settings):
    agency = await an_agency(database, "operator", NATION)
    return [
        await a_caller(database, settings, "operator", NATION, agency_id=agency, machine=False)
        for _ in range(2)
    ]


async def _reset(client, two, person, what="password"):
    one, other = two
    operation = {"password": "resetPassword", "second-factor": "resetSecondFactor"}[what]
    path = _at({"id": person.staff_id}, f"/{what}-reset")
    return await send_by_two(client, one, other, operation, "POST", path)


async def _someone(client, administrator, username) -> dict:
    answer = await client.post(
        "/v1/staff",
        json={"name": "李娜", "username": username},
        headers=administrator.headers,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _moved(database, person, agency_id) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE staff SET agency_id = $1 WHERE id = $2", agency_id, person.staff_id
        )


def _at(person, what: str = "") -> str:
    return f"/v1/staff/{person['id']}{what}"


async def test_a_person_is_invited_and_signs_in(
    client, database, now, unique, school, administrator
) -> None:
    """The administrator never learns the password; the code is kept as a hash."""
    made = await _someone(client, administrator, unique.upper())
    assert (made["username"], made["state"], made["agency_id"]) == (unique, "invited", str(school))
    invitation = made["invitation"]
    assert invitation["opens"] == "account"
    assert invitation["expires_at"] == f"{now + timedelta(hours=48):%Y-%m-%dT%H:%M:%SZ}"
    async with database.begin(SYSTEM) as tx:
        kept = str(dict(await tx.connection.fetchrow("SELECT * FROM invitations")))
    assert invitation["code"] not in kept
    browser = await Browser(client).open("/oauth/invitation")
    await browser.send(code=invitation["code"])
    await browser.send(new_password=NEW, again=NEW)
    await browser.send(skip="yes")
    shown = (await client.get(_at(made), headers=administrator.headers)).json()
    assert (shown["state"], shown["has_second_factor"]) == ("active", False)
    assert shown["open_invitation"] is None
    assert "invitation" not in shown
    answer = await sign_in(client, await an_app(database), pkce()[1], unique, password=NEW)
    assert "没有可用的岗位" in answer.text, "what they may do follows from posts"


async def test_an_invitation_that_nobody_uses_is_seen(
    client, database, now, unique, administrator
) -> None:
    """Weeks later, too: somebody has a code, or nobody came."""
    made = await _someone(client, administrator, unique)
    database.clock = lambda: now + timedelta(days=30)
    async with database.begin(SYSTEM) as tx:
        await jobs.forget_expired(tx, {})
    database.clock = lambda: now
    [shown] = [
        each
        for each in (await client.get("/v1/staff", headers=administrator.headers)).json()["items"]
        if each["id"] == made["id"]
    ]
    assert shown["state"] == "invited"
    expires_at = made["invitation"]["expires_at"]
    assert shown["open_invitation"] == {"opens": "account", "expires_at": expires_at}


async def test_names_are_taken_once_and_typed_on_any_keyboard(
    client, database, unique, administrator
) -> None:
    await _someone(client, administrator, unique)
    for username, status, slug in ((unique, 409, "taken"), (f"{unique}/", 422, "validation")):
        answer = await client.post(
            "/v1/staff",
            json={"name": "李娜", "username": username},
            headers=administrator.headers,
        )
        assert (answer.status_code, slug in answer.json()["type"]) == (status, True)


async def test_a_code_takes_the_place_of_the_one_before(client, unique, administrator) -> None:
    made = await _someone(client, administrator, unique)
    again = await client.post(_at(made, "/invitation"), headers=administrator.headers)
    assert (again.status_code, again.json()["opens"]) == (200, "account")
    browser = await Browser(client).open("/oauth/invitation")
    assert (await browser.send(code=made["invitation"]["code"])).status_code == 400
    assert (await browser.send(code=again.json()["code"])).status_code == 200


async def test_what_can_be_done_follows_from_what_is_there(
    client, database, unique, administrator, second, school
) -> None:
    person = await a_person(database, unique)
    await _moved(database, person, school)
    at = {"id": person.staff_id}
    headers = administrator.headers
    shown = (await client.get(_at(at), headers=headers)).json()
    assert shown["permitted_by_two"] == ["resetPassword"]
    assert {"inviteStaff", "suspendStaff", "endStaff"} < {*shown["permitted"]}

    async def does(what: str, method: str = "POST") -> tuple[int, str]:
        answer = await client.request(method, _at(at, what), headers=headers)
        return answer.status_code, answer.json().get("opens") or answer.json().get("type", "")

    assert await does("/second-factor-reset") == (409, "/problems/nothing-to-reset")
    assert await does("/invitation") == (200, "second_factor")
    assert await does("/password-reset") == (403, "/problems/approval-required")
    reset = await _reset(client, (administrator, second), person)
    assert (reset.status_code, reset.json()["opens"]) == (200, "password")
    await an_authenticator(database, person.staff_id)
    assert await does("/invitation") == (409, "/problems/already-set-up")
    assert await does("/second-factor-reset") == (403, "/problems/approval-required")
    reset = await _reset(client, (administrator, second), person, "second-factor")
    assert (reset.status_code, reset.json()["opens"]) == (200, "second_factor")
    assert await does("/suspension", "DELETE") == (409, "/problems/staff-state-differs")
    unread = await client.post(_at(at, "/sign-ins/end"), json={"note": "x"}, headers=headers)
    assert (unread.status_code, unread.json()["errors"][0]["code"]) == (400, "body_unread")
    assert (await does("/suspension"))[0] == 200
    rests = await client.post(_at(at, "/password-reset"), headers=headers)
    assert (rests.status_code, "`resumeStaff`" in rests.json()["detail"]) == (409, True)
    assert await does("/suspension", "DELETE") == (403, "/problems/approval-required")
    back = _at(at, "/suspension")
    resumed = await send_by_two(client, administrator, second, "resumeStaff", "DELETE", back)
    assert resumed.json()["state"] == "active"
    assert (await does("/end"))[0] == 200
    assert await does("/suspension", "DELETE") == (409, "/problems/staff-state-differs")
    async with database.begin(SYSTEM) as tx:
        until = await tx.connection.fetchval(
            "SELECT until FROM post_holdings WHERE id = $1", person.holding_id
        )
        assert until == tx.today


async def test_nobody_does_it_to_themselves(client, settings, database, school) -> None:
    own = await a_caller(database, settings, "administrator", VILLAGE, agency_id=school)
    for what in ("/password-reset", "/suspension", "/end"):
        answer = await client.post(f"/v1/staff/{own.subject_id}{what}", headers=own.headers)
        assert answer.json()["type"] == "/problems/not-your-own-account"


async def test_whose_people_are_whose(client, settings, database, unique, school) -> None:
    """An agency its own; civil affairs, those of its line; no system enters anybody."""
    await some_regions(database, COUNTY)
    village = await an_agency(database, "village_committee", VILLAGE)
    elsewhere = await an_agency(database, "village_committee", 120118101200)
    closed = await an_agency(database, "village_committee", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", closed)
    county = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
    system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    for caller, agency, expected in (
        (county, village, "approval-required"),
        (county, school, "agency-not-yours"),
        (county, elsewhere, "agency-not-yours"),
        (county, closed, "agency-not-yours"),
        (county, new_id(), "agency-not-yours"),
        (system, village, "person-required"),
    ):
        answer = await client.post(
            "/v1/staff",
            json={"name": "李娜", "username": f"{unique}.1", "agency_id": str(agency)},
            headers=caller.headers,
        )
        said = answer.json().get("type", "").rpartition("/")[2] or answer.status_code
        assert said == expected
    body = {"name": "李娜", "username": f"{unique}.1", "agency_id": str(village)}
    above = await a_caller(database, settings, "civil_affairs", CITY, machine=False)
    made = await send_by_two(client, county, above, "createStaff", "POST", "/v1/staff", body)
    assert (made.status_code, made.json()["invitation"]["opens"]) == (201, "account")
    stranger = await a_caller(database, settings, "administrator", VILLAGE)
    for what in ("", "/sign-ins"):
        theirs = await client.get(f"/v1/staff/{county.subject_id}{what}", headers=stranger.headers)
        assert theirs.json()["type"] == "/problems/staff-not-found"
    listed = await client.get(
        "/v1/staff", params={"agency_id": str(village)}, headers=county.headers
    )
    assert [each["name"] for each in listed.json()["items"]] == ["李娜"]


async def test_an_administrator_takes_over_no_account_that_has_a_second_factor(
    client, database, unique, administrator, second, school
) -> None:
    """Two bribed clerks reset the password and use the code: it asks for what they have not. One
    reset after the other does not help: each asks for what the other would replace.
    """
    person = await a_person(database, unique)
    await _moved(database, person, school)
    await an_authenticator(database, person.staff_id)
    clerks = (administrator, second)
    password = (await _reset(client, clerks, person)).json()["code"]
    thief = await Browser(client).open("/oauth/invitation")
    await thief.send(code=password)
    assert (await thief.send(new_password=NEW, again=NEW, code="000000")).status_code == 400
    factor = (await _reset(client, clerks, person, "second-factor")).json()["code"]
    thief = await Browser(client).open("/oauth/invitation")
    assert (await thief.send(code=password)).status_code == 400, "the first ended with the second"
    await thief.send(code=factor)
    assert (await thief.send(password=NEW)).status_code == 400
    assert (await thief.send(password=PASSWORD)).status_code == 200, "the person alone"


async def _everything_open(client, app, username) -> dict:
    """All ways in, each half-way: a token, a refresh token, a code, a page, a reset."""
    verifier, challenge = pkce()
    spent = answer_of(await sign_in(client, app, challenge, username))["code"]
    issued = (await exchange(client, app, spent, verifier)).json()
    code = answer_of(await sign_in(client, app, challenge, username))["code"]
    page = await Browser(client).open("/oauth/account")
    await page.send(username=username, password=PASSWORD)
    return {"issued": issued, "code": code, "verifier": verifier, "page": page}


BY_HAND = {
    "agency": "UPDATE agencies SET active = false WHERE id = $1",
    "account, by hand": "UPDATE staff_accounts SET active = false WHERE staff_id = $1",
    "person, by hand": "UPDATE staff SET active = false WHERE id = $1",
}


@pytest.mark.parametrize("what", ["account", "person", "client", *BY_HAND])
async def test_inactive_works_everywhere_at_once(client, database, unique, operators, what) -> None:
    """`active: false` of account, person, agency or client, whoever set it: nothing that was begun
    goes on.
    """
    person = await a_person(database, unique)
    app, operator = await an_app(database), operators[0]
    opened = await _everything_open(client, app, unique)
    at = {"id": person.staff_id}
    reset = (await _reset(client, operators, person)).json()
    before = await _everything_open(client, app, unique)
    if what == "account":
        await client.post(_at(at, "/suspension"), headers=operator.headers)
    elif what == "person":
        await client.post(_at(at, "/end"), headers=operator.headers)
    elif what == "client":
        await client.post(f"/v1/clients/{app}/suspension", headers=operator.headers)
    else:
        of = person.agency_id if what == "agency" else person.staff_id
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(BY_HAND[what], of)
    for issued in (opened["issued"], before["issued"]):
        bearer = {"authorization": f"Bearer {issued['access_token']}"}
        assert (await client.get("/v1/me", headers=bearer)).status_code == 401
        assert (await refresh(client, app, issued["refresh_token"])).status_code in {400, 401}
    late = await exchange(client, app, before["code"], before["verifier"])
    assert late.status_code in {400, 401}
    asked = await client.get("/oauth/authorize", params=authorization(app, pkce()[1]))
    if asked.status_code == 200:
        assert (await sign_in(client, app, pkce()[1], unique)).status_code == 400
    if "account" in what or "person" in what:
        assert "过期" in (await before["page"].send(go="password")).text
        browser = await Browser(client).open("/oauth/invitation")
        assert (await browser.send(code=reset["code"])).status_code == 400


async def test_what_was_open_stays_ended_when_somebody_is_resumed(
    client, database, unique, operators
) -> None:
    person = await a_person(database, unique)
    one, two = operators
    app, issued = await signed_in(client, database, unique)
    code = (await _reset(client, operators, person)).json()["code"]
    at = _at({"id": person.staff_id}, "/suspension")
    await client.post(at, headers=one.headers)
    resumed = await send_by_two(client, one, two, "resumeStaff", "DELETE", at)
    assert resumed.json()["state"] == "active"
    bearer = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=bearer)).status_code == 401
    assert (await (await Browser(client).open("/oauth/invitation")).send(code=code)).is_error
    assert (await sign_in(client, app, pkce()[1], unique)).status_code == 303


async def test_a_lost_phone_is_ended_in_one_act(client, settings, database, unique) -> None:
    person = await a_person(database, unique)
    operator = await a_caller(database, settings, "operator", 120000000000, machine=False)
    _, first = await signed_in(client, database, unique)
    _, second = await signed_in(client, database, unique)
    at = {"id": person.staff_id}
    listed = await client.get(_at(at, "/sign-ins"), headers=operator.headers)
    assert [each["factors"] for each in listed.json()["items"]] == [["pwd"]] * 2
    ended = await client.post(_at(at, "/sign-ins/end"), headers=operator.headers)
    assert ended.json() == {"ended": 2}
    for issued in (first, second):
        bearer = {"authorization": f"Bearer {issued['access_token']}"}
        assert (await client.get("/v1/me", headers=bearer)).status_code == 401


@pytest.mark.parametrize(
    ("asks", "factors", "minutes", "through"),
    [
        (True, ["pwd", "otp"], 10, True),
        (True, ["pwd", "otp"], 11, False),
        (True, ["pwd"], 0, False),
        (True, ["otp"], 0, False),
        (False, ["pwd"], 10, True),
        (False, ["pwd"], 11, False),
    ],
)
async def test_an_act_of_power_takes_a_fresh_sign_in(
    app, settings, database, unique, administrator, asks, factors, minutes, through
) -> None:
    """The challenge says what to ask for (RFC 9470); reading and taking power away need none."""
    await signed_in_before(database, administrator, factors=factors, minutes=minutes)
    told = settings.model_copy(update={"second_factor": asks})
    body = {"name": "李娜", "username": unique}
    async with calling(app, told, database) as http:
        answer = await http.post("/v1/staff", json=body, headers=administrator.headers)
        listed = await http.get("/v1/staff", headers=administrator.headers)
    assert listed.status_code == 200
    if through:
        assert answer.status_code == 201
        return
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/step-up-required")
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="600"' in challenge
    assert ('acr_values="urn:tonghu:two-factors"' in challenge) == asks


async def test_a_key_gives_no_answer_again_to_a_sign_in_that_is_not_fresh(
    client, database, unique, administrator
) -> None:
    """What was answered holds a code."""
    body = {"name": "李娜", "username": unique}
    headers = {**administrator.headers, "idempotency-key": "one"}
    assert (await client.post("/v1/staff", json=body, headers=headers)).status_code == 201
    again = await client.post("/v1/staff", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    await signed_in_before(database, administrator, minutes=11)
    late = await client.post("/v1/staff", json=body, headers=headers)
    assert (late.status_code, "code" in late.text) == (401, False)
