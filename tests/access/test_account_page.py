"""A person looks after their own account, in a browser, without a script."""

import re

import pyotp
import pytest

from app.access import accounts, second_factor, sign_in_pages
from app.core.data.db import SYSTEM
from tests.access.apps import (
    PASSWORD,
    Browser,
    Form,
    a_person,
    an_app,
    an_authenticator,
    pkce,
    refresh,
    sign_in,
    signed_in,
)

NEW = "湖边 seven lanterns"


async def _at_home(client, username, **more) -> Browser:
    browser = await Browser(client).open("/oauth/account", lang="en")
    await browser.send(username=username, password=PASSWORD, **more)
    return browser


def _open(browser: Browser) -> list[str]:
    parts = browser.page.text.split('name="end" value="')[1:]
    return [part.partition('"')[0] for part in parts]


async def test_sees_and_ends_where_they_are_signed_in(client, database, unique) -> None:
    await a_person(database, unique)
    other = await a_person(database, f"{unique}2")
    first, one = await signed_in(client, database, unique)
    _, two = await signed_in(client, database, unique)
    _, theirs = await signed_in(client, database, f"{unique}2")
    browser = await _at_home(client, unique)
    assert browser.page.status_code == 200
    found = [each for each in _open(browser) if each != "all"]
    assert len(found) == 2
    async with database.begin(SYSTEM) as tx:
        not_theirs = await tx.connection.fetchval(
            "SELECT id FROM sign_ins WHERE staff_id = $1", other.staff_id
        )
    await browser.send(end=str(not_theirs))
    await browser.send(end=found[0])
    assert len([each for each in _open(browser) if each != "all"]) == 1
    await browser.send(end="all")
    assert "nowhere" in browser.page.text
    for issued, status in ((one, 401), (two, 401), (theirs, 200)):
        headers = {"authorization": f"Bearer {issued['access_token']}"}
        assert (await client.get("/v1/me", headers=headers)).status_code == status
    assert (await refresh(client, first, one["refresh_token"])).status_code == 400
    async with database.begin(SYSTEM) as tx:
        by = await tx.connection.fetch(
            "SELECT actor FROM audit_entries WHERE operation = 'endSignIn'"
        )
    assert len({row["actor"] for row in by}) == 1, "that they did stands in the record"


async def test_another_authenticator_ends_what_is_open(client, database, now, unique) -> None:
    """Who signed in before knew less."""
    person = await a_person(database, unique)
    _, issued = await signed_in(client, database, unique)
    async with database.begin(SYSTEM) as tx:
        secret = second_factor.new_secret()
        await accounts.enrol(tx, person.staff_id, secret, 1)
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 401


async def test_changes_the_password_with_the_old_one(client, database, unique) -> None:
    await a_person(database, unique)
    browser = await _at_home(client, unique)
    await browser.send(go="password")
    wrong = {"password": "wrong", "new_password": NEW, "again": NEW}
    assert (await browser.send(**wrong)).status_code == 400
    assert (await browser.send(**{**wrong, "again": "else"})).status_code == 400
    done = await browser.send(password=PASSWORD, new_password=NEW, again=NEW)
    assert done.status_code == 200
    app = await an_app(database)
    assert (await sign_in(client, app, pkce()[1], unique)).status_code == 400
    assert (await sign_in(client, app, pkce()[1], unique, password=NEW)).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("wrong", NEW, NEW, "password"),
        (PASSWORD, "short", "short", "new_password"),
        (PASSWORD, NEW, f"{NEW}!", "again"),
    ],
)
async def test_the_field_that_is_wrong_is_marked(
    client, database, unique, old, new, again, field
) -> None:
    await a_person(database, unique)
    browser = await Browser(client).open("/oauth/account")
    await browser.send(username=unique, password=PASSWORD)
    await browser.send(go="password")
    page = await browser.send(password=old, new_password=new, again=again)
    marked = re.findall(r'<input id="(\w+)"[^>]* aria-invalid="true"', page.text)
    assert (page.status_code, marked) == (400, [field])


async def test_changes_the_authenticator_with_both_factors(client, database, now, unique) -> None:
    person = await a_person(database, unique)
    phone = await an_authenticator(database, person.staff_id)
    browser = await _at_home(client, unique)
    assert "Second factor" in browser.page.text
    early = await browser.send(go="factor")
    assert (early.status_code, 'class="secret"' in early.text) == (400, False)
    await browser.send(code=phone.code(now))
    await browser.send(go="factor")
    secret = browser.page.text.partition('class="secret">')[2].partition("<")[0].replace(" ", "")
    assert (await browser.send(code="000000")).status_code == 400
    assert (await browser.send(code=pyotp.TOTP(secret).at(now))).status_code == 200
    gone = await browser.client.post(
        "/oauth/account", data={"flow": Form(early).fields["flow"], "code": phone.code(now)}
    )
    assert "expired" in gone.text


async def test_nobody_sets_one_up_with_a_password_alone(client, database, unique) -> None:
    await a_person(database, unique)
    browser = await _at_home(client, unique)
    page = await browser.send(go="factor")
    assert 'class="secret"' not in page.text
    assert "administrator" in page.text


async def test_wrong_and_unknown_look_alike(client, database, unique) -> None:
    await a_person(database, unique)
    texts = []
    for name in (unique, "nobody.here"):
        browser = await Browser(client).open("/oauth/account", lang="en")
        page = await browser.send(username=name, password="wrong")
        assert page.status_code == 400
        texts.append(page.text.replace(name, "").replace(Form(page).fields["flow"], ""))
    assert texts[0] == texts[1]


async def test_a_form_without_a_password_proves_nothing(client, database, unique) -> None:
    await a_person(database, unique)
    browser = await Browser(client).open("/oauth/account", lang="en")
    assert (await browser.send(username=unique)).status_code == 400


async def test_pages_are_guarded_and_labelled(client, database, now, unique) -> None:
    person = await a_person(database, unique)
    await an_authenticator(database, person.staff_id)
    browser = await _at_home(client, unique)
    for page in (
        browser.page,
        (await Browser(client).open("/oauth/invitation")).page,
        (await Browser(client).open("/oauth/account")).page,
    ):
        form = Form(page)
        assert form.ids <= form.labelled
        assert "<script" not in page.text
        assert " style=" not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert page.headers["cache-control"] == "no-store"


def test_what_was_wrong_says_what_to_do() -> None:
    for texts in sign_in_pages.texts().values():
        for name in ("wrong", "factor_wrong", "code_wrong", "password_old_wrong"):
            assert len(re.findall(r"[.。]", texts[name])) > 1, texts[name]
