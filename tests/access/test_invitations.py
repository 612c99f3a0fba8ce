"""A one-time code sets up what it is for, by the person's own hand, and nothing else."""

from datetime import timedelta

import pyotp
import pytest

from app.access import accounts, founding
from app.access.accounts import invite
from app.core.data.db import SYSTEM
from tests.access.apps import (
    PASSWORD,
    Browser,
    Form,
    a_person,
    an_app,
    an_authenticator,
    pkce,
    sign_in,
    signed_in,
)
from tests.conftest import calling

NEW = "湖边 seven lanterns"
DESK = {"role": "police", "region_code": 120119000000, "agency_kind": "police"}


async def _invited(database, person, opens="account") -> str:
    async with database.begin(SYSTEM) as tx:
        if opens == "account":
            await tx.connection.execute("UPDATE staff_accounts SET password_hash = ''")
        return (await invite(tx, person.staff_id, opens)).code


async def _with(client, code: str, lang: str = "zh") -> Browser:
    browser = await Browser(client).open("/oauth/invitation", lang=lang)
    await browser.send(code=code)
    return browser


def _secret(browser: Browser) -> str:
    return browser.page.text.partition('class="secret">')[2].partition("<")[0].replace(" ", "")


async def _operations(database) -> list[tuple[str, str | None]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT operation, rule FROM audit_entries ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_first_password_is_chosen_by_who_has_the_code(
    client, database, now, unique
) -> None:
    person = await a_person(database, unique)
    code = await _invited(database, person)
    assert (await sign_in(client, await an_app(database), pkce()[1], unique)).status_code == 400
    browser = await _with(client, f" {code.upper()} ".replace("-", " "))
    assert unique in browser.page.text
    await browser.send(new_password=NEW, again=NEW)
    secret = _secret(browser)
    done = await browser.send(code=pyotp.TOTP(secret).at(now))
    assert done.status_code == 200
    assert done.text.count("<li><code>") == 10
    again = await _with(client, code)
    assert again.page.status_code == 400, "once"
    browser = Browser(client)
    browser.page = await sign_in(client, await an_app(database), pkce()[1], unique, password=NEW)
    assert (await browser.send(code=pyotp.TOTP(secret).at(now))).status_code == 400, "used"
    next_code = pyotp.TOTP(secret).at(now, counter_offset=1)
    assert (await browser.send(code=next_code)).status_code == 303
    said = await _operations(database)
    assert ("choosePassword", None) in said
    assert ("enrolSecondFactor", None) in said


async def test_the_second_factor_may_wait_where_no_post_asks_for_it(
    client, database, unique
) -> None:
    person = await a_person(database, unique)
    browser = await _with(client, await _invited(database, person), lang="en")
    await browser.send(new_password=NEW, again=NEW)
    assert (await browser.send(code="000000")).status_code == 400
    assert (await browser.send(skip="yes")).status_code == 200
    answer = await sign_in(client, await an_app(database), pkce()[1], unique, password=NEW)
    assert answer.status_code == 303


async def test_it_may_not_where_one_does(app, settings, database, unique) -> None:
    """And the code opens the page again until that is done."""
    person = await a_person(database, unique, **DESK)
    code = await _invited(database, person)
    asking = settings.model_copy(update={"second_factor": True})
    async with calling(app, asking, database) as http:
        browser = await _with(http, code)
        await browser.send(new_password=NEW, again=NEW)
        assert 'name="skip"' not in browser.page.text
        assert (await browser.send(skip="yes")).status_code == 400
        assert (await _with(http, code)).page.status_code == 200


@pytest.mark.parametrize(
    ("new", "again", "says"),
    [
        ("short", "short", "guess"),
        ("password1234", "password1234", "guess"),
        ("1qaz2wsx3edc", "1qaz2wsx3edc", "guess"),
        ("woaini1314", "woaini1314", "guess"),
        (NEW, f"{NEW}!", "differ"),
    ],
)
async def test_what_others_would_find_is_no_password(
    client, database, unique, new, again, says
) -> None:
    person = await a_person(database, unique)
    browser = await _with(client, await _invited(database, person), lang="en")
    page = await browser.send(new_password=new, again=again)
    assert page.status_code == 400
    assert says in page.text
    assert Form(page).alerts == 1
    assert (await browser.send(new_password=NEW, again=NEW)).status_code == 200


async def test_a_new_password_takes_the_second_factor(client, database, now, unique) -> None:
    """An administrator who resets a password gets nobody's account by it."""
    person = await a_person(database, unique)
    phone = await an_authenticator(database, person.staff_id)
    browser = await _with(client, await _invited(database, person, "password"))
    page = await browser.send(new_password=NEW, again=NEW, code="000000")
    assert page.status_code == 400
    page = await browser.send(new_password="short", again="short", code=phone.code(now))
    assert page.status_code == 400
    page = await browser.send(new_password=NEW, again=NEW, code=phone.code(now))
    assert page.status_code == 200
    browser.page = await sign_in(client, await an_app(database), pkce()[1], unique, password=NEW)
    assert "验证码" in browser.page.text, "it is still there"


async def test_a_code_sets_one_new_password(client, database, unique) -> None:
    """Whoever finds it afterwards sets none."""
    code = await _invited(database, await a_person(database, unique), "password")
    done = await (await _with(client, code)).send(new_password=NEW, again=NEW)
    assert done.status_code == 200
    assert (await _with(client, code)).page.status_code == 400


async def test_a_new_authenticator_takes_the_password(client, database, now, unique) -> None:
    """The old one counts until the new one does."""
    person = await a_person(database, unique)
    old = await an_authenticator(database, person.staff_id)
    browser = await _with(client, await _invited(database, person, "second_factor"))
    assert (await browser.send(password="wrong")).status_code == 400
    await browser.send(password=PASSWORD)
    secret = _secret(browser)
    assert secret != old.secret
    assert (await browser.send(code=old.code(now))).status_code == 400
    assert (await browser.send(code=pyotp.TOTP(secret).at(now))).status_code == 200
    browser.page = await sign_in(client, await an_app(database), pkce()[1], unique)
    assert (await browser.send(code=old.code(now, steps=1))).status_code == 400
    right = pyotp.TOTP(secret).at(now, counter_offset=1)
    assert (await browser.send(code=right)).status_code == 303


async def test_one_reset_ends_the_other_and_what_was_open(client, database, unique) -> None:
    person = await a_person(database, unique)
    await an_authenticator(database, person.staff_id)
    first = await _invited(database, person, "password")
    open_page = await _with(client, first)
    second = await _invited(database, person, "second_factor")
    assert (await _with(client, first)).page.status_code == 400
    page = await open_page.send(new_password=NEW, again=NEW, code="000000")
    assert "过期" in page.text
    assert (await _with(client, second)).page.status_code == 200


async def test_a_new_password_ends_what_is_open_and_what_is_remembered(
    client, database, unique
) -> None:
    person = await a_person(database, unique)
    _, issued = await signed_in(client, database, unique)
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 200
    browser = await _with(client, await _invited(database, person, "password"))
    assert (await client.get("/v1/me", headers=headers)).status_code == 200, "nothing is done yet"
    await browser.send(new_password=NEW, again=NEW)
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    async with database.begin(SYSTEM) as tx:
        known = await tx.connection.fetchval("SELECT max(known_until) FROM sign_in_places")
        assert known is None
    for _ in range(5):  # the browser was known, and is no more
        await sign_in(client, await an_app(database), pkce()[1], unique, password="guess")
    late = await sign_in(client, await an_app(database), pkce()[1], unique, password=NEW)
    assert late.status_code == 400


async def test_a_code_that_is_none_or_too_late(client, database, now, unique) -> None:
    person = await a_person(database, unique)
    code = await _invited(database, person, "password")
    assert (await _with(client, "")).page.status_code == 400
    assert (await _with(client, "aaaa-bbbb-cccc-dddd")).page.status_code == 400
    assert ("useInvitation", "invitation") in await _operations(database)
    page = await _with(client, code)
    database.clock = lambda: now + timedelta(hours=48)
    assert (await _with(client, code)).page.status_code == 400
    database.clock = lambda: now + timedelta(minutes=16)
    late = await page.send(new_password=NEW, again=NEW)
    assert late.status_code == 400


async def test_who_is_suspended_meanwhile_sets_up_nothing(client, database, unique) -> None:
    person = await a_person(database, unique)
    code = await _invited(database, person, "password")
    page = await _with(client, code)
    async with database.begin(SYSTEM) as tx:
        await accounts.set_active(tx, person.staff_id, active=False)
    assert "过期" in (await page.send(new_password=NEW, again=NEW)).text
    assert (await _with(client, code)).page.status_code == 400


async def test_a_form_is_of_its_own_page_and_browser(client, database, unique) -> None:
    person = await a_person(database, unique)
    browser = await _with(client, await _invited(database, person, "password"))
    fields = {"flow": Form(browser.page).fields["flow"], "new_password": NEW, "again": NEW}
    assert "过期" in (await client.post("/oauth/account", data=fields)).text
    assert (await client.post("/oauth/invitation", json=fields)).status_code == 400
    client.cookies.clear()
    assert "过期" in (await client.post("/oauth/invitation", data=fields)).text


async def test_the_first_operators_set_up_their_second_factor(client, database, unique) -> None:
    """Nobody is there to invite them: `tonghu init` gives each a code."""
    one, two = founding.Named("甲", unique), founding.Named("乙", f"{unique}2")
    async with database.begin(SYSTEM) as tx:
        first, _ = await founding.found(tx, "平台运营方", one, two)
    browser = await Browser(client).open("/oauth/invitation")
    await browser.send(code=first.code)
    assert (await browser.send(password=PASSWORD)).status_code == 400, "not without the password"
    assert "otpauth://" in (await browser.send(password=first.password)).text
