"""Who guesses passwords waits, and keeps nobody else out (TOK-10)."""

from datetime import timedelta
from mmap import mmap

import pytest

from app.access.sign_in import Limits, _known_as, limits, remembered
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from app.core.http.rate_limits import RateLimited, RateLimits
from tests.access.apps import (
    PASSWORD,
    Form,
    a_person,
    an_app,
    authorization,
    pkce,
    sign_in,
)
from tests.conftest import NOW, calling


async def test_many_who_guess_a_name_do_not_keep_its_owner_out(
    client, database, now, unique
) -> None:
    """From where somebody signed in before no rest of the account stops them, five tries long."""
    await a_person(database, unique)
    app = await an_app(database)
    _, challenge = pkce()

    async def guess() -> None:
        client.cookies.clear()
        stranger = Form(await client.get("/oauth/authorize", params=authorization(app, challenge)))
        for _ in range(6):
            fields = {**stranger.fields, "username": unique, "password": "guess"}
            assert (await client.post(stranger.action, data=fields)).status_code == 400
        assert (await sign_in(client, app, challenge, unique)).status_code == 400
        client.cookies.clear()

    first = await sign_in(client, app, challenge, unique)
    assert first.status_code == 303
    assert f"max-age={90 * 24 * 3600};" in first.headers["set-cookie"].lower()
    owner = dict(client.cookies)
    await guess()
    known = {name: value for name, value in owner.items() if name.endswith("known")}
    assert unique not in str(known)
    client.cookies.update(known)
    assert (await sign_in(client, app, challenge, unique)).status_code == 303
    database.clock = lambda: now + timedelta(days=90)  # no longer than that
    await guess()
    client.cookies.update(known)
    assert (await sign_in(client, app, challenge, unique)).status_code == 400


def test_a_browser_is_known_by_what_it_keeps_however_that_is_spelt() -> None:
    """Another spelling of one proof is no other browser, with five more tries."""
    keyring = Keyring.generate()
    kept = remembered(keyring, "one", NOW)
    assert _known_as(keyring, "one", kept, NOW)
    for other in (f"{kept}!", f"!{kept}", f"{kept[:9]} {kept[9:]}", f"{kept}=="):
        assert _known_as(keyring, "one", other, NOW) is None, other
    assert _known_as(keyring, "another", kept, NOW) is None


async def test_who_is_suspended_stays_out_wherever_they_signed_in(client, database, unique) -> None:
    await a_person(database, unique)
    app = await an_app(database)
    _, challenge = pkce()
    assert (await sign_in(client, app, challenge, unique)).status_code == 303
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE staff_accounts SET active = false")
    assert (await sign_in(client, app, challenge, unique)).status_code == 400


def test_an_address_has_a_hundred_tries_at_once_and_a_known_browser_five() -> None:
    for limit, most in zip(limits(), (100, 5), strict=True):
        for _ in range(most):
            limit.spend("one", NOW)
        with pytest.raises(RateLimited):
            limit.spend("one", NOW)
        limit.spend("another", NOW)


def test_tries_are_counted_for_all_processes_together() -> None:
    for limit in limits():
        assert isinstance(limit._full_at.obj, mmap)


async def test_who_tries_too_often_waits(app, settings, database, unique) -> None:
    """An address before any password is compared; a browser that is known counts as any other."""
    limits = Limits(
        address=RateLimits(per_second=1, burst=9), browser=RateLimits(per_second=1, burst=1)
    )
    await a_person(database, unique)
    phone = await an_app(database)
    _, challenge = pkce()
    asked = authorization(phone, challenge)
    async with calling(app, settings, database, sign_in_limits=limits) as http:
        assert (await sign_in(http, phone, challenge, unique)).status_code == 303
        form = Form(await http.get("/oauth/authorize", params=asked))
        wrong = {**form.fields, "username": unique, "password": "guess"}
        guesses = [(await http.post(form.action, data=wrong)).status_code for _ in range(6)]
        right = {**wrong, "password": PASSWORD}
        refused = [await http.post(form.action, data=right) for _ in range(3)]
        http._transport.client = ("192.0.2.7", 1)
        elsewhere = await http.post(form.action, data=right)
    assert guesses == [400] * 6
    assert elsewhere.status_code == 400, "resting, but compared"
    assert [answer.status_code for answer in refused] == [400, 400, 429]
    assert "稍后再试" in refused[-1].text
    assert int(refused[-1].headers["retry-after"]) >= 1
