"""The second factor of a desk: asked for, counted once, and never alone what lets anybody in."""

from datetime import timedelta

import pyotp
import pytest
from jose import jwt

from app.access import accounts, second_factor
from app.core.data.db import SYSTEM
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
)
from tests.conftest import NOW, calling

DESK = {"role": "police", "region_code": 120119000000, "agency_kind": "police"}
TWO = "urn:tonghu:two-factors"


async def _at_code(client, app, challenge, username, **asked) -> Browser:
    browser = Browser(client)
    await browser.open("/oauth/authorize", **authorization(app, challenge, **asked))
    await browser.send(username=username, password=PASSWORD)
    return browser


async def _rules(database, operation="signIn") -> list[str | None]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT rule FROM audit_entries WHERE operation = $1 ORDER BY id", operation
        )
    return [row["rule"] for row in rows]


async def test_who_has_one_is_asked_and_the_token_says_so(client, database, now, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (verifier, challenge) = await an_app(database), pkce()
    browser = await _at_code(client, app, challenge, unique)
    assert (browser.page.status_code, "第二重验证" in browser.page.text) == (200, True)
    answer = await browser.send(code=phone.code(now))
    issued = (await exchange(client, app, answer_of(answer)["code"], verifier)).json()
    claims = _claims(issued["access_token"])
    assert claims["amr"] == ["pwd", "otp"]
    assert (claims["acr"], claims["auth_time"]) == (TWO, int(now.timestamp()))


def _claims(token: str) -> dict:
    return jwt.get_unverified_claims(token)


async def test_a_code_counts_once_also_for_who_looked_on(client, database, now, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    code = phone.code(now)
    first = await _at_code(client, app, challenge, unique)
    assert (await first.send(code=code)).status_code == 303
    second = await _at_code(client, app, challenge, unique)
    assert (await second.send(code=code)).status_code == 400
    assert (await second.send(code=phone.code(now, steps=1))).status_code == 303


@pytest.mark.parametrize(
    ("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_clocks_may_differ_by_a_step(steps, right) -> None:
    secret = second_factor.new_secret()
    code = pyotp.TOTP(secret).at(NOW, counter_offset=steps)
    found = second_factor.step_of(secret, code, NOW, after=None)
    assert (found is not None) == right
    if found is not None:
        assert second_factor.step_of(secret, code, NOW, after=found) is None


@pytest.mark.parametrize("code", ["", "12345", "１２３４５６", "abcdef", "0" * 40])
def test_what_is_no_code_is_none(code) -> None:
    assert second_factor.step_of(second_factor.new_secret(), code, NOW, after=None) is None


async def test_a_code_on_paper_works_once(client, database, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    written = f" {phone.paper[3].upper().replace('-', ' ')} "
    browser = await _at_code(client, app, challenge, unique)
    assert (await browser.send(code=written)).status_code == 303
    again = await _at_code(client, app, challenge, unique)
    assert (await again.send(code=written)).status_code == 400
    assert (await again.send(code=phone.paper[4])).status_code == 303


async def test_nothing_of_it_lies_in_clear(database, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    async with database.begin(SYSTEM) as tx:
        row = str(dict(await tx.connection.fetchrow("SELECT * FROM staff_accounts")))
    assert phone.secret not in row
    assert phone.paper[0] not in row
    assert phone.paper[0].replace("-", "") not in row


async def test_codes_are_not_guessed_and_guessing_is_an_alarm(
    client, database, now, unique
) -> None:
    """Who guesses has the password. The owner's browser, which is known, is let try."""
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    owner = await _at_code(client, app, challenge, unique)
    assert (await owner.send(code=phone.code(now))).status_code == 303
    known = {name: value for name, value in client.cookies.items() if name.endswith("known")}
    client.cookies.clear()
    thief = await _at_code(client, app, challenge, unique)
    for _ in range(5):
        assert (await thief.send(code="000000")).status_code == 400
    right = phone.code(now, steps=1)
    assert (await thief.send(code=right)).status_code == 400, "it rests"
    assert await _rules(database, "signInAlarm") == ["second_factor_guessed"]
    client.cookies.clear()
    client.cookies.update(known)
    owner = await _at_code(client, app, challenge, unique)
    assert (await owner.send(code=right)).status_code == 303
    for _ in range(5):
        await (await _at_code(client, app, challenge, unique)).send(code="000000")
    assert len(await _rules(database, "signInAlarm")) == 2
    database.clock = lambda: now + timedelta(seconds=31)
    client.cookies.clear()
    later = await _at_code(client, app, challenge, unique)
    assert (await later.send(code=phone.code(now + timedelta(seconds=61)))).status_code == 303


async def test_a_known_browser_guesses_no_more_than_five_at_once(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    browser = await _at_code(client, app, challenge, unique)
    await browser.send(code=phone.code(now))
    again = await _at_code(client, app, challenge, unique)
    answers = [(await again.send(code="000000")).status_code for _ in range(6)]
    assert answers == [400] * 6
    assert (await again.send(code=phone.code(now, steps=1))).status_code == 400


async def test_a_role_that_asks_for_one_gets_one(app, settings, database, unique) -> None:
    """In production, or where it is switched on; a village director's phone is no desk."""
    await a_person(database, unique, **DESK)
    await a_person(database, f"{unique}2")
    phone, (_, challenge) = await an_app(database), pkce()
    asking = settings.model_copy(update={"second_factor": True})
    async with calling(app, asking, database) as http:
        browser = await _at_code(http, phone, challenge, unique)
        assert browser.page.status_code == 400
        assert "/oauth/invitation" in browser.page.text
        village = await _at_code(http, phone, challenge, f"{unique}2")
        assert village.page.status_code == 303
        asked = await _at_code(http, phone, challenge, f"{unique}2", acr_values=f"x {TWO}")
        assert asked.page.status_code == 400
    assert "no_second_factor" in await _rules(database)


async def test_a_page_left_open_counts_no_more_after_a_reset(client, database, now, unique) -> None:
    person = await a_person(database, unique, **DESK)
    phone = await an_authenticator(database, person.staff_id)
    app, (_, challenge) = await an_app(database), pkce()
    browser = await _at_code(client, app, challenge, unique)
    async with database.begin(SYSTEM) as tx:
        await accounts.invite(tx, person.staff_id, "password")
    page = await browser.send(code=phone.code(now))
    assert (page.status_code, "过期" in page.text) == (400, True)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
    ],
)
async def test_what_an_app_may_not_ask_for(client, database, changed, error) -> None:
    app = await an_app(database)
    asked = authorization(app, pkce()[1], **changed)
    assert answer_of(await client.get("/oauth/authorize", params=asked))["error"] == error


@pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}])
async def test_each_sign_in_is_fresh(client, database, now, unique, changed) -> None:
    """There is no sign-in but by proof, so `prompt=login` and any `max_age` are met."""
    await a_person(database, unique)
    app, (verifier, challenge) = await an_app(database), pkce()
    browser = await _at_code(client, app, challenge, unique, **changed)
    answer = await exchange(client, app, answer_of(browser.page)["code"], verifier)
    claims = _claims(answer.json()["access_token"])
    assert (claims["auth_time"], claims["amr"]) == (int(now.timestamp()), ["pwd"])
