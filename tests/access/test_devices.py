"""A phone as a factor: its key, enrolled by a code for one person, and lost in one act."""

from datetime import timedelta

import pytest
from jose import jwt

from app.access import accounts, devices
from app.access.sign_in import Limits
from app.core.data.db import SYSTEM
from app.core.http.rate_limits import RateLimits
from app.core.ids import new_id
from tests.access.apps import (
    PASSWORD,
    Browser,
    Holder,
    a_person,
    an_app,
    answer_of,
    authorization,
    exchange,
    pkce,
    refresh,
    sign_in,
)
from tests.access.factories import a_caller
from tests.access.test_pushed import a_server_app, follow, push
from tests.conftest import calling

TOWNSHIP = 120119101000
TWO = "urn:tonghu:two-factors"


async def _code(database, person) -> str:
    async with database.begin(SYSTEM) as tx:
        return (await devices.give_code(tx, person.staff_id)).code


async def _enrol(client, phone, code, /, **changed):
    said = {"code": code, "name": "红米 Note", **changed}
    return await phone.post(client, "/oauth/devices", said)


async def _enrolled(client, database, person) -> Holder:
    phone = Holder()
    answer = await _enrol(client, phone, await _code(database, person))
    assert answer.status_code == 201, answer.text
    assert answer.json()["thumbprint"] == phone.thumbprint
    return phone


async def _tokens(client, database, username, phone, app=None, **asked):
    app, (verifier, challenge) = app or await an_app(database), pkce()
    code = answer_of(await sign_in(client, app, challenge, username, **asked))["code"]
    return app, await exchange(client, app, code, verifier, phone)


async def test_password_and_phone_are_two_factors(client, database, now, unique) -> None:
    """The key of the phone is the one its tokens are bound to: there is no other to prove."""
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person)
    app, answer = await _tokens(client, database, unique, phone)
    issued = answer.json()
    claims = jwt.get_unverified_claims(issued["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "hwk"], TWO)
    assert claims["cnf"] == {"jkt": phone.thumbprint}
    assert issued["lease_until"] == int((now + timedelta(days=7)).timestamp())
    database.clock = lambda: now + timedelta(days=2)
    again = await refresh(client, app, issued["refresh_token"], phone)
    assert again.json()["lease_until"] == int((now + timedelta(days=9)).timestamp())


async def test_a_copied_refresh_token_is_worth_nothing_elsewhere(client, database, unique) -> None:
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person)
    other = await _enrolled(client, database, person)
    app, answer = await _tokens(client, database, unique, phone)
    token = answer.json()["refresh_token"]
    for key in (None, other, Holder()):
        assert (await refresh(client, app, token, key)).status_code == 400
    assert (await refresh(client, app, token, phone)).status_code == 200


async def test_nor_with_an_app_that_may_change_its_key(client, database, now, unique) -> None:
    """Who proves itself at each refresh may, but not on a phone (RFC 9449 §5)."""
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person)
    other = await _enrolled(client, database, person)
    app, (verifier, challenge) = await a_server_app(database), pkce()
    asked = {**authorization(app.client_id, challenge), **app.proof(now)}
    told = (await push(client, asked, phone)).json()
    page = await follow(client, str(app.client_id), told["request_uri"], unique)
    code, proof = answer_of(page)["code"], app.proof(now)
    issued = (await exchange(client, app.client_id, code, verifier, phone, **proof)).json()
    for key, status in ((other, 400), (Holder(), 400), (phone, 200)):
        proof = app.proof(now)
        answer = await refresh(client, app.client_id, issued["refresh_token"], key, **proof)
        assert answer.status_code == status, answer.text


async def test_a_code_enrols_one_phone_for_one_person(client, database, unique) -> None:
    person = await a_person(database, unique)
    other = await a_person(database, f"{unique}2")
    code, phone = await _code(database, person), Holder()
    assert (await _enrol(client, phone, code)).status_code == 201
    assert (await _enrol(client, Holder(), code)).json()["error"] == "invalid_grant"
    shared = await _enrol(client, phone, theirs := await _code(database, other))
    assert shared.json()["error"] == "invalid_request", "a key for each person"
    _, answer = await _tokens(client, database, f"{unique}2", phone)
    assert answer.json()["error"] == "invalid_grant", "another person's phone"
    assert (await _enrol(client, Holder(), theirs)).status_code == 201, "the code is not spent"


@pytest.mark.parametrize(
    "changed", [{"name": ""}, {"name": "x" * 61}, {"name": "a\tb"}, {"code": "aaaa-bbbb-cccc-dddd"}]
)
async def test_what_enrols_nothing(client, database, unique, changed) -> None:
    person = await a_person(database, unique)
    answer = await _enrol(client, Holder(), await _code(database, person), **changed)
    assert answer.status_code == 400
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM devices") == 0


async def test_a_code_does_not_come_back_with_who_was_suspended(client, database, unique) -> None:
    person = await a_person(database, unique)
    code = await _code(database, person)
    for active in (False, True):
        async with database.begin(SYSTEM) as tx:
            await accounts.set_active(tx, person.staff_id, active=active)
    assert (await _enrol(client, Holder(), code)).json()["error"] == "invalid_grant"


async def test_who_guesses_codes_waits(app, settings, database) -> None:
    limits = Limits(*[RateLimits(per_second=1, burst=3)] * 3)
    async with calling(app, settings, database, sign_in_limits=limits) as http:
        tried = [
            (await http.post("/oauth/devices", data={"code": "aaaa", "name": "华为"})).status_code
            for _ in range(4)
        ]
    assert tried == [400, 400, 400, 429]


async def test_what_proves_no_key_enrols_none(client, database, unique) -> None:
    """Asking for a nonce spends no code, and is no refusal."""
    person = await a_person(database, unique)
    said = {"code": await _code(database, person), "name": "红米 Note"}
    bare = await client.post("/oauth/devices", data=said)
    assert bare.json()["error"] == "invalid_dpop_proof"
    phone = Holder()
    proof = {"dpop": phone.proof("POST", "http://127.0.0.1:8000/oauth/devices")}
    asked = await client.post("/oauth/devices", data=said, headers=proof)
    assert asked.json()["error"] == "use_dpop_nonce"
    phone.nonce = asked.headers["dpop-nonce"]
    for key, error in ((Holder().key, "invalid_dpop_proof"), (None, None)):
        once = {"dpop": phone.proof("POST", "http://127.0.0.1:8000/oauth/devices", key=key)}
        made = await client.post("/oauth/devices", data=said, headers=once)
        assert made.json().get("error") == error
    again = await client.post("/oauth/devices", data=said, headers=once)
    assert "sent before" in again.json()["error_description"]
    async with database.begin(SYSTEM) as tx:
        denied = await tx.connection.fetch(
            "SELECT rule FROM audit_entries WHERE operation = 'enrolDevice' AND decision = 'denied'"
        )
    assert sorted(row["rule"] for row in denied) == [
        "dpop: invalid_dpop_proof",
        "dpop: replayed",
        "invalid_dpop_proof",
    ]


async def test_a_code_is_good_for_two_days_and_while_the_person_is(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique)
    code = await _code(database, person)
    database.clock = lambda: now + timedelta(hours=48)
    assert (await _enrol(client, Holder(), code)).json()["error"] == "invalid_grant"
    database.clock = lambda: now
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE staff_accounts SET active = false")
    assert (await _enrol(client, Holder(), code)).json()["error"] == "invalid_grant"


async def test_where_two_factors_are_asked_for_the_code_takes_the_phone(
    client, database, unique
) -> None:
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person)
    for key in (None, Holder()):
        _, without = await _tokens(client, database, unique, key, acr_values=TWO)
        assert without.json()["error"] == "invalid_grant"
    _, answer = await _tokens(client, database, unique, phone, acr_values=TWO)
    assert answer.status_code == 200
    _, alone = await _tokens(client, database, unique, None)
    assert alone.status_code == 200, "nobody asked"


async def test_a_lost_phone_ends_with_what_is_open_on_it(
    client, settings, database, unique
) -> None:
    """The township gives the code and revokes; other phones go on."""
    person = await a_person(database, unique)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    at = f"/v1/staff/{person.staff_id}"
    given = await client.post(f"{at}/device-code", headers=township.headers)
    assert given.status_code == 200, given.text
    phone = Holder()
    made = await _enrol(client, phone, given.json()["code"])
    other = await _enrolled(client, database, person)
    app, lost = await _tokens(client, database, unique, phone)
    _, kept = await _tokens(client, database, unique, other)
    listed = (await client.get(f"{at}/devices", headers=township.headers)).json()["items"]
    assert len(listed) == 2
    lost_at = f"{at}/devices/{made.json()['device_id']}/revocation"
    gone = await client.post(lost_at, headers=township.headers)
    assert gone.json()["revoked_at"] is not None
    missing = await client.post(f"{at}/devices/{new_id()}/revocation", headers=township.headers)
    assert missing.json()["type"] == "/problems/device-not-found"
    elsewhere = f"/v1/staff/{(await a_person(database, f'{unique}2')).staff_id}/devices"
    foreign = await client.post(
        f"{elsewhere}/{made.json()['device_id']}/revocation", headers=township.headers
    )
    assert foreign.json()["type"] == "/problems/device-not-found"
    for key, answer, status in ((phone, lost, 401), (other, kept, 200)):
        me = await key.ask(client, "GET", "/v1/me", answer.json()["access_token"])
        assert me.status_code == status
    assert (await refresh(client, app, lost.json()["refresh_token"], phone)).status_code == 400
    _, anew = await _tokens(client, database, unique, phone)
    assert anew.json()["error"] == "invalid_grant"
    mine = other.headers("POST", "/v1/me/sign-ins/end", kept.json()["access_token"])
    ended = await client.post("/v1/me/sign-ins/end", headers=mine)
    assert ended.json() == {"ended": 2}, "and the one that got no tokens"
    _, after = await _tokens(client, database, unique, other)
    assert after.json()["error"] == "invalid_grant", "all phones of theirs"


async def test_what_was_open_on_it_before_it_was_enrolled_ends_too(
    client, database, unique
) -> None:
    person, phone = await a_person(database, unique), Holder()
    _, before = await _tokens(client, database, unique, phone)
    assert (await _enrol(client, phone, await _code(database, person))).status_code == 201
    _, elsewhere = await _tokens(client, database, unique, other := Holder())
    async with database.begin(SYSTEM) as tx:
        await devices.revoke(tx, person.staff_id)
    for key, answer, status in ((phone, before, 401), (other, elsewhere, 200)):
        me = await key.ask(client, "GET", "/v1/me", answer.json()["access_token"])
        assert me.status_code == status


async def test_a_person_ends_a_lost_phone_on_their_page(client, database, unique) -> None:
    """With it what is open on it; another goes on. A phone may be lost while nobody is signed in on
    it: the page shows it all the same.
    """
    person = await a_person(database, unique)
    kept, lost = Holder(), await _enrolled(client, database, person)
    browser = await Browser(client).open("/oauth/account")
    page = await browser.send(username=unique, password=PASSWORD)
    assert "红米 Note" in page.text
    assert "立即结束全部登录并注销手机" in page.text
    _, there = await _tokens(client, database, unique, lost)
    await _enrol(client, kept, await _code(database, person), name="华为")
    _, here = await _tokens(client, database, unique, kept)
    async with database.begin(SYSTEM) as tx:
        found = await tx.connection.fetchval(
            "SELECT id FROM devices WHERE thumbprint = $1", lost.thumbprint
        )
    page = await browser.send(end=str(found))
    assert ("红米 Note" in page.text, "华为" in page.text) == (False, True)
    for key, answer, status in ((lost, there, 401), (kept, here, 200)):
        me = await key.ask(client, "GET", "/v1/me", answer.json()["access_token"])
        assert me.status_code == status
    page = await browser.send(end="all")
    assert "华为" not in page.text, "all phones, as the page says"
    _, anew = await _tokens(client, database, unique, kept)
    assert anew.json()["error"] == "invalid_grant"


async def test_the_township_looks_after_the_phones_of_its_villages_alone(
    client, settings, database, unique
) -> None:
    there = await a_caller(database, settings, "township_supervisor", 120119102000)
    person = await a_person(database, unique)
    answer = await client.post(f"/v1/staff/{person.staff_id}/device-code", headers=there.headers)
    assert answer.json()["type"] == "/problems/staff-not-found"


async def test_an_operator_gives_no_code_alone(client, settings, database, unique) -> None:
    operator = await a_caller(database, settings, "operator", 0, machine=False)
    person = await a_person(database, unique)
    answer = await client.post(f"/v1/staff/{person.staff_id}/device-code", headers=operator.headers)
    assert answer.json()["type"] == "/problems/approval-required"


async def test_nobody_gives_themselves_a_code(client, settings, database) -> None:
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        kind = "UPDATE agencies SET kind = 'village_committee' WHERE id = $1"
        await tx.connection.execute(kind, township.agency_id)
    at = f"/v1/staff/{township.subject_id}/device-code"
    answer = await client.post(at, headers=township.headers)
    assert answer.json()["type"] == "/problems/not-your-own-account"


async def test_no_form_is_no_phone(app, settings, database) -> None:
    async with calling(app, settings, database) as http:
        assert (await http.post("/oauth/devices", json={})).status_code == 400
