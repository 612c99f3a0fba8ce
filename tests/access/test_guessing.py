"""Who guesses passwords waits, and keeps nobody else out (TOK-10)."""

from datetime import timedelta
from mmap import mmap

import orjson
import pytest

from app.access import jobs
from app.access.sign_in import Limits, _known_as, limits, remembered
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from app.core.http.rate_limits import RateLimited, RateLimits
from tests.access.apps import (
    PASSWORD,
    Browser,
    Form,
    a_person,
    an_app,
    an_authenticator,
    authorization,
    pkce,
    sign_in,
)
from tests.access.factories import a_caller
from tests.conftest import NOW, VILLAGE, calling
from tests.jobs import hand_out


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
    kept = remembered(keyring, "one", 7, NOW)
    assert _known_as(keyring, "one", kept, NOW)[1] == 7
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
    """And an alarm sounds once."""
    for limit, most in zip(limits(), (100, 5, 1), strict=True):
        for _ in range(most):
            limit.spend("one", NOW)
        with pytest.raises(RateLimited):
            limit.spend("one", NOW)
        limit.spend("another", NOW)


def test_tries_are_counted_for_all_processes_together() -> None:
    for limit in limits():
        assert isinstance(limit._full_at.obj, mmap)


async def test_who_tries_too_often_waits(app, settings, database, unique) -> None:
    """An address before any password is compared; a browser that is known has its own few tries."""
    limits = Limits(
        address=RateLimits(per_second=1, burst=8),
        browser=RateLimits(per_second=1, burst=1),
        alarms=RateLimits(per_second=1, burst=1),
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
    assert elsewhere.status_code == 303, "the name rests where it was guessed"
    assert [answer.status_code for answer in refused] == [400, 400, 429]
    assert "稍后再试" in refused[-1].text
    assert int(refused[-1].headers["retry-after"]) >= 1


async def test_who_floods_an_address_keeps_nobody_out_who_signed_in_there(
    app, settings, database, now, unique
) -> None:
    """An office has one address: a colleague, or what is on their machine, uses up what strangers
    have of it, and nothing of whom we know, down to their second factor.
    """
    person = await a_person(database, unique)
    phone, asked = await an_app(database), pkce()[1]
    async with calling(app, settings, database) as http:
        assert (await sign_in(http, phone, asked, unique)).status_code == 303
        kept = dict(http.cookies)
        form = Form(await http.get("/oauth/authorize", params=authorization(phone, asked)))
        authenticator = await an_authenticator(database, person.staff_id)
        browser, half = Browser(http), Browser(http)
        half.page = await sign_in(http, phone, asked, unique)
        assert half.page.status_code == 200
        http.cookies.delete("tonghu-sign-in-known")
        flood = {**form.fields, "username": "nobody", "code": "0"}
        for _ in range(100):
            last = await http.post(form.action, data=flood)
        assert last.status_code == 429
        assert (await sign_in(http, phone, asked, "stranger")).status_code == 429
        http.cookies.update(kept)
        assert (await half.send(code="000000")).status_code == 400, "their own tries"
        browser.page = await sign_in(http, phone, asked, unique)
        assert browser.page.status_code == 200
        assert (await browser.send(code=authenticator.code(now, steps=1))).status_code == 303


async def test_who_guesses_beside_others_keeps_none_of_them_out(
    app, settings, database, now, unique
) -> None:
    """A county may come from one address: who signed in from a browser before has its own tries."""
    limits = Limits(
        address=RateLimits(per_second=0.001, burst=3),
        browser=RateLimits(per_second=0.001, burst=2),
        alarms=RateLimits(per_second=1, burst=1),
    )
    person = await a_person(database, unique)
    authenticator = await an_authenticator(database, person.staff_id)
    phone, (_, challenge) = await an_app(database), pkce()
    async with calling(app, settings, database, sign_in_limits=limits) as http:
        first = Form(await sign_in(http, phone, challenge, unique))
        said = {**first.fields, "code": authenticator.paper[0]}
        assert (await http.post(first.action, data=said)).status_code == 303
        kept = dict(http.cookies)
        http.cookies.clear()
        told = [(await sign_in(http, phone, challenge, "nobody")).status_code for _ in range(3)]
        assert told == [400, 400, 429], "the address is spent"
        assert (await sign_in(http, phone, challenge, unique)).status_code == 429
        http.cookies.clear()
        http.cookies.update({name: kept[name] for name in kept if name.endswith("known")})
        again = Form(await sign_in(http, phone, challenge, unique))
        said = {**again.fields, "code": authenticator.code(now)}
        assert (await http.post(again.action, data=said)).status_code == 303


async def _guess(http, form, username, address, password="guess") -> int:
    http._transport.client = (address, 1)
    http.cookies.delete("tonghu-sign-in-known")
    fields = {**form.fields, "username": username, "password": password}
    return (await http.post(form.action, data=fields)).status_code


async def _form(http, database) -> Form:
    asked = authorization(await an_app(database), pkce()[1])
    return Form(await http.get("/oauth/authorize", params=asked))


async def _alarms(database) -> list[tuple[str, str]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT rule, actor FROM audit_entries WHERE operation = 'signInAlarm' ORDER BY id"
        )
    return [tuple(row) for row in rows]


async def test_a_name_rests_where_it_is_guessed_and_nowhere_else(
    app, settings, database, unique
) -> None:
    await a_person(database, unique)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        for _ in range(5):
            await _guess(http, form, unique, "192.0.2.1")
        assert await _guess(http, form, unique, "192.0.2.1", PASSWORD) == 400
        assert await _guess(http, form, unique, "2001:db8::1", PASSWORD) == 303


async def test_through_many_addresses_nobody_is_kept_out_from_where_they_were(
    app, settings, database, now, unique
) -> None:
    """Strangers wait after twenty guesses, longer each time, a quarter of an hour at most."""
    await a_person(database, unique)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        assert await _guess(http, form, unique, "192.0.2.1", PASSWORD) == 303
        for number in range(20):
            assert await _guess(http, form, unique, f"198.51.100.{number}") == 400
        assert await _guess(http, form, unique, "203.0.113.1", PASSWORD) == 400
        assert await _guess(http, form, unique, "192.0.2.1", PASSWORD) == 303, "at home"
        for number in range(20):
            await _guess(http, form, unique, f"198.51.100.{number}")
        database.clock = lambda: now + timedelta(seconds=31)
        form = await _form(http, database)
        assert await _guess(http, form, unique, "203.0.113.1", PASSWORD) == 303
        for number in range(20):
            await _guess(http, form, unique, f"198.51.100.{number}")
        database.clock = lambda: now + timedelta(days=91)
        form = await _form(http, database)
        await _guess(http, form, unique, "198.51.100.1")
        assert await _guess(http, form, unique, "192.0.2.1", PASSWORD) == 400, "home no more"


async def test_one_network_that_tries_many_names_is_an_alarm(
    app, settings, database, unique
) -> None:
    """Whether or not they are anybody's; once an hour, with the address in the audit."""
    await a_person(database, unique)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        assert await _guess(http, form, unique, "192.0.2.1", PASSWORD) == 303
        for number in range(9):
            await _guess(http, form, f"{unique}.{number}", "192.0.2.1")
        assert await _alarms(database) == []
        await _guess(http, form, f"{unique}.9", "192.0.2.1")
        await _guess(http, form, f"{unique}.10", "192.0.2.1")
    assert [rule for rule, _ in await _alarms(database)] == ["names_sprayed"]


async def test_one_name_tried_from_many_networks_is_an_alarm_of_its_agency(
    app, settings, database, unique
) -> None:
    person = await a_person(database, unique)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        for number in range(11):
            await _guess(http, form, unique, f"192.0.2.{number}")
    assert await _alarms(database) == [("networks_sprayed", f"staff:{person.staff_id}")]
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetchval(
            "SELECT agency_id FROM audit_entries WHERE operation = 'signInAlarm'"
        )
    assert told == person.agency_id


async def _told(database) -> list[tuple[str, str, list[str], str]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT subject_id, region_code, data::text AS data FROM events"
            " WHERE wire_name = 'audit.alarm_raised' ORDER BY n"
        )
    found = [(row, orjson.loads(row["data"])) for row in rows]
    assert all(said["by_agency_id"] is None for _, said in found), "nobody knows"
    return [
        (said["alarm"], str(row["subject_id"]), said["known_to"], row["region_code"])
        for row, said in found
    ]


async def test_who_supervises_and_the_agency_are_told_once_an_hour(
    app, settings, database, now, unique
) -> None:
    """Of the first name that is anybody's, however many before it were nobody's."""
    person = await a_person(database, unique)
    other = await a_person(database, f"{unique}.other")
    await a_person(database, f"{unique}.safe")
    said = ("names_sprayed", str(person.staff_id), [str(person.agency_id)], VILLAGE)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        for number in range(12):
            await _guess(http, form, f"{unique}.{number}", "192.0.2.1")
        assert await _told(database) == []
        for _ in range(2):
            await _guess(http, form, unique, "192.0.2.1")
        assert await _told(database) == [said]
        await _guess(http, form, f"{unique}.other", "192.0.2.1")
        assert [each[1] for each in (await _told(database))[1:]] == [str(other.staff_id)]
        database.clock = lambda: now + timedelta(minutes=61)
        form = await _form(http, database)
        for number in range(10):
            await _guess(http, form, f"{unique}.{number}", "192.0.2.1")
        await _guess(http, form, unique, "192.0.2.1")
        assert (await _told(database))[2:] == [said]
        for number in range(11):
            await _guess(http, form, f"{unique}.safe", f"192.0.2.{number + 9}")
    assert [each[0] for each in (await _told(database))[3:]] == ["networks_sprayed"]


async def test_it_comes_in_the_feed_of_the_county(app, client, settings, database, unique) -> None:
    await a_person(database, unique)
    county = await a_caller(database, settings, "civil_affairs", 120119000000)
    elsewhere = await a_caller(database, settings, "civil_affairs", 120110000000)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        for number in range(10):
            await _guess(http, form, unique, f"192.0.2.{number}")
    await hand_out(database)
    asked = "/v1/events?event_type=audit.alarm_raised"
    for caller, many in ((county, 1), (elsewhere, 0)):
        heard = (await client.get(asked, headers=caller.headers)).json()["items"]
        assert [each["data"]["alarm"] for each in heard] == ["networks_sprayed"] * many


async def test_so_are_they_of_guessed_codes(client, database, unique) -> None:
    person = await a_person(database, unique)
    await an_authenticator(database, person.staff_id)
    browser = Browser(client)
    browser.page = await sign_in(client, await an_app(database), pkce()[1], unique)
    for _ in range(6):
        await browser.send(code="000000")
    assert await _told(database) == [
        ("second_factor_guessed", str(person.staff_id), [str(person.agency_id)], VILLAGE)
    ]


async def test_what_was_guessed_is_forgotten_and_who_is_at_home_is_not(
    app, settings, database, now, unique
) -> None:
    await a_person(database, unique)
    async with calling(app, settings, database) as http:
        form = await _form(http, database)
        await _guess(http, form, unique, "192.0.2.1", PASSWORD)
        await _guess(http, form, unique, "192.0.2.2")
    for days, left in ((2, 1), (92, 0)):
        database.clock = lambda days=days: now + timedelta(days=days)
        async with database.begin(SYSTEM) as tx:
            await jobs.forget_expired(tx, {})
            assert await tx.connection.fetchval("SELECT count(*) FROM sign_in_places") == left
