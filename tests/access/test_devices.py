"""A phone as a factor: its key, enrolled by a code for one person, and lost in one act."""

import json
import secrets
from datetime import timedelta

import pytest
from jose import jwt

from app.access import devices
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.apps import (
    ISSUER,
    a_key,
    a_person,
    an_app,
    answer_of,
    exchange,
    pkce,
    refresh,
    sign_in,
)
from tests.access.factories import a_caller
from tests.conftest import calling

TOWNSHIP = 120119101000
TWO = "urn:tonghu:two-factors"


class Phone:
    """A phone that made a key for one person."""

    def __init__(self, now) -> None:
        self.pem, public = a_key()
        self.jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
        self.now = now

    @property
    def thumbprint(self) -> str:
        return devices.thumbprint(self.jwk)

    def assertion(self, **changed) -> str:
        issued = int(self.now.timestamp())
        claims = {"iss": self.thumbprint, "sub": self.thumbprint, "aud": ISSUER, "iat": issued}
        claims |= {"exp": issued + 60, "jti": secrets.token_urlsafe(9), **changed}
        return jwt.encode(claims, self.pem, algorithm="ES256")

    def form(self, code: str, **changed) -> dict[str, str]:
        said = {"code": code, "name": "红米 Note", "jwk": json.dumps(self.jwk)}
        return {**said, "device_assertion": self.assertion(), **changed}


async def _code(database, person) -> str:
    async with database.begin(SYSTEM) as tx:
        return (await devices.give_code(tx, person.staff_id)).code


async def _enrolled(client, database, person, now) -> Phone:
    phone = Phone(now)
    code = await _code(database, person)
    answer = await client.post("/oauth/devices", data=phone.form(code))
    assert answer.status_code == 201, answer.text
    return phone


async def _tokens(client, database, username, phone, **asked):
    app, (verifier, challenge) = await an_app(database), pkce()
    code = answer_of(await sign_in(client, app, challenge, username, **asked))["code"]
    proof = {} if phone is None else {"device_assertion": phone.assertion()}
    return app, await exchange(client, app, code, verifier, **proof)


async def test_password_and_phone_are_two_factors(client, database, now, unique) -> None:
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person, now)
    app, answer = await _tokens(client, database, unique, phone)
    issued = answer.json()
    claims = jwt.get_unverified_claims(issued["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "hwk"], TWO)
    assert issued["lease_until"] == int((now + timedelta(days=7)).timestamp())
    database.clock = lambda: now + timedelta(days=2)
    phone.now = now + timedelta(days=2)
    proof = {"device_assertion": phone.assertion()}
    again = await refresh(client, app, issued["refresh_token"], **proof)
    assert again.json()["lease_until"] == int((now + timedelta(days=9)).timestamp())


async def test_a_copied_refresh_token_is_worth_nothing_elsewhere(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person, now)
    other = await _enrolled(client, database, person, now)
    app, answer = await _tokens(client, database, unique, phone)
    token = answer.json()["refresh_token"]
    used = phone.assertion()
    for proof in ({}, {"device_assertion": other.assertion()}, {"device_assertion": "a.b.c"}):
        assert (await refresh(client, app, token, **proof)).status_code == 400
    assert (await refresh(client, app, token, device_assertion=used)).status_code == 200
    late = await refresh(client, app, token, device_assertion=used)
    assert late.status_code == 400, "a proof counts once"


async def test_a_code_enrols_one_phone_for_one_person(client, database, now, unique) -> None:
    person = await a_person(database, unique)
    other = await a_person(database, f"{unique}2")
    code, phone = await _code(database, person), Phone(now)
    assert (await client.post("/oauth/devices", data=phone.form(code))).status_code == 201
    second = await client.post("/oauth/devices", data=Phone(now).form(code))
    assert second.json()["error"] == "invalid_grant"
    shared = await client.post("/oauth/devices", data=phone.form(await _code(database, other)))
    assert shared.json()["error"] == "invalid_request", "a key for each person"
    _, answer = await _tokens(client, database, f"{unique}2", phone)
    assert answer.json()["error"] == "invalid_grant", "another person's phone"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\tb"},
        {"jwk": "{"},
        {"jwk": "[]"},
        {"jwk": '{"kty": "EC"}'},
        {"jwk": json.dumps(a_key("RSA")[1])},
        {"code": "aaaa-bbbb-cccc-dddd"},
        {"device_assertion": "a.b.c"},
        {"device_assertion": ""},
    ],
)
async def test_what_enrols_nothing(client, database, now, unique, changed) -> None:
    person = await a_person(database, unique)
    phone = Phone(now)
    form = {**phone.form(await _code(database, person)), **changed}
    assert (await client.post("/oauth/devices", data=form)).status_code == 400
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM devices") == 0


async def test_a_code_is_good_for_two_days_and_while_the_person_is(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique)
    code = await _code(database, person)
    database.clock = lambda: now + timedelta(hours=48)
    late = await client.post("/oauth/devices", data=Phone(now + timedelta(hours=48)).form(code))
    assert late.json()["error"] == "invalid_grant"
    database.clock = lambda: now
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE staff_accounts SET active = false")
    gone = await client.post("/oauth/devices", data=Phone(now).form(code))
    assert gone.json()["error"] == "invalid_grant"


async def test_where_two_factors_are_asked_for_the_code_takes_the_phone(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique)
    phone = await _enrolled(client, database, person, now)
    _, without = await _tokens(client, database, unique, None, acr_values=TWO)
    assert without.json()["error"] == "invalid_grant"
    _, answer = await _tokens(client, database, unique, phone, acr_values=TWO)
    assert answer.status_code == 200
    _, alone = await _tokens(client, database, unique, None)
    assert alone.status_code == 200, "nobody asked"


async def test_a_lost_phone_ends_with_what_is_open_on_it(
    client, settings, database, now, unique
) -> None:
    """The township gives the code and revokes; other phones go on."""
    person = await a_person(database, unique)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    at = f"/v1/staff/{person.staff_id}"
    given = await client.post(f"{at}/device-code", headers=township.headers)
    assert given.status_code == 200, given.text
    phone = Phone(now)
    made = await client.post("/oauth/devices", data=phone.form(given.json()["code"]))
    other = await _enrolled(client, database, person, now)
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
    for answer, status in ((lost, 401), (kept, 200)):
        bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await client.get("/v1/me", headers=bearer)).status_code == status
    proof = {"device_assertion": phone.assertion()}
    token = lost.json()["refresh_token"]
    assert (await refresh(client, app, token, **proof)).status_code == 400
    _, anew = await _tokens(client, database, unique, phone)
    assert anew.json()["error"] == "invalid_grant"
    mine = {"authorization": f"Bearer {kept.json()['access_token']}"}
    ended = await client.post("/v1/me/sign-ins/end", headers=mine)
    assert ended.json() == {"ended": 2}, "and the one that got no tokens"
    _, after = await _tokens(client, database, unique, other)
    assert after.json()["error"] == "invalid_grant", "all phones of theirs"


async def test_the_township_looks_after_the_phones_of_its_villages_alone(
    client, settings, database, unique
) -> None:
    there = await a_caller(database, settings, "township_supervisor", 120119102000)
    person = await a_person(database, unique)
    answer = await client.post(f"/v1/staff/{person.staff_id}/device-code", headers=there.headers)
    assert answer.json()["type"] == "/problems/staff-not-found"


async def test_no_form_is_no_phone(app, settings, database) -> None:
    async with calling(app, settings, database) as http:
        assert (await http.post("/oauth/devices", json={})).status_code == 400
