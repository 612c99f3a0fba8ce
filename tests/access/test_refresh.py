"""Refresh tokens rotate; a lost reply is repeated, a thief ends the sign-in (TOK-7)."""

import asyncio
from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.apps import (
    Holder,
    a_person,
    an_app,
    answer_of,
    exchange,
    pkce,
    refresh,
    sign_in,
    signed_in,
)
from tests.conftest import calling


@pytest.fixture
async def signed(client, database, unique):
    await a_person(database, unique)
    return await signed_in(client, database, unique)


async def test_rotates(client, signed) -> None:
    app, first = signed
    second = (await refresh(client, app, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    third = await refresh(client, app, second["refresh_token"])
    assert third.status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(30, 200), (31, 400)])
async def test_repeats_the_same_successor_for_30_seconds(
    client, database, signed, now, seconds, status
) -> None:
    app, first = signed
    second = (await refresh(client, app, first["refresh_token"])).json()
    database.clock = lambda: now + timedelta(seconds=seconds)
    again = await refresh(client, app, first["refresh_token"])
    assert again.status_code == status
    if status == 200:
        assert again.json()["refresh_token"] == second["refresh_token"]
        return
    headers = {"authorization": f"Bearer {second['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    assert (await refresh(client, app, second["refresh_token"])).status_code == 400
    async with database.begin(SYSTEM) as tx:
        rules = await tx.connection.fetch("SELECT rule, decision FROM audit_entries ORDER BY id")
    assert ("refresh_reused", "denied") in [tuple(row) for row in rules]


async def test_older_than_the_previous_ends_the_sign_in(client, signed) -> None:
    app, first = signed
    second = (await refresh(client, app, first["refresh_token"])).json()
    third = (await refresh(client, app, second["refresh_token"])).json()
    assert (await refresh(client, app, first["refresh_token"])).status_code == 400
    assert (await refresh(client, app, third["refresh_token"])).status_code == 400


async def test_of_another_app_is_refused_and_harms_nothing(client, database, signed) -> None:
    app, first = signed
    other, _ = await signed_in(client, database, (await a_person(database, "other")).username)
    assert (await refresh(client, other, first["refresh_token"])).status_code == 400
    assert (await refresh(client, app, first["refresh_token"])).status_code == 200


async def test_asks_for_no_more_than_the_sign_in_was_for(client, database, unique) -> None:
    await a_person(database, unique)
    app, (verifier, challenge) = await an_app(database), pkce()
    redirect = await sign_in(client, app, challenge, unique, scope="visits:read me:read")
    first = (await exchange(client, app, answer_of(redirect)["code"], verifier)).json()
    for asked, given in (
        ("visits:read visits:write children:read", "visits:read"),
        ("", "me:read visits:read"),
    ):
        answer = await refresh(client, app, first["refresh_token"], scope=asked)
        assert answer.json()["scope"] == given
        first = answer.json()
    more = await refresh(client, app, first["refresh_token"], scope="visits:write")
    assert more.json()["error"] == "invalid_scope"


async def test_unknown_scope_spends_nothing(client, signed) -> None:
    app, first = signed
    refused = await refresh(client, app, first["refresh_token"], scope="everything")
    assert refused.json()["error"] == "invalid_scope"
    assert (await refresh(client, app, first["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    ("role", "kind", "region", "life"),
    [
        ("village_director", "village_committee", 120119101200, timedelta(days=30)),
        ("civil_affairs", "civil_affairs", 120119000000, timedelta(hours=12)),
    ],
)
async def test_sign_in_has_an_absolute_end(
    client, database, now, unique, role, kind, region, life
) -> None:
    await a_person(database, unique, role, region, agency_kind=kind)
    app, issued = await signed_in(client, database, unique)
    database.clock = lambda: now + life - timedelta(seconds=90)
    late = (await refresh(client, app, issued["refresh_token"])).json()
    assert late["expires_in"] == 90
    database.clock = lambda: now + life
    assert (await refresh(client, app, late["refresh_token"])).status_code == 400


class TestBoundToAKey:
    @pytest.fixture
    def holder(self) -> Holder:
        return Holder()

    @pytest.fixture
    async def signed(self, client, database, unique, holder):
        await a_person(database, unique)
        return await signed_in(client, database, unique, holder)

    async def test_repeats_until_the_successor_is_used_however_long_it_takes(
        self, client, database, signed, holder, now
    ) -> None:
        app, first = signed
        assert first["token_type"] == "DPoP"
        second = (await refresh(client, app, first["refresh_token"], holder)).json()
        for days in (0, 3, 20):
            database.clock = lambda after=days: now + timedelta(days=after)
            again = await refresh(client, app, first["refresh_token"], holder)
            assert again.json()["refresh_token"] == second["refresh_token"], again.text
        me = await holder.ask(client, "GET", "/v1/me", again.json()["access_token"])
        assert me.status_code == 200
        third = await refresh(client, app, second["refresh_token"], holder)
        assert third.status_code == 200
        late = await refresh(client, app, first["refresh_token"], holder)
        assert late.json()["error"] == "invalid_grant"
        assert (
            await refresh(client, app, third.json()["refresh_token"], holder)
        ).status_code == 400
        async with database.begin(SYSTEM) as tx:
            said = await tx.connection.fetch("SELECT rule, decision FROM audit_entries")
        assert ("refresh_reused", "denied") in {tuple(row) for row in said}

    @pytest.mark.parametrize("thief", [None, Holder()])
    async def test_the_present_one_needs_the_key_and_outlives_the_attempt(
        self, client, database, signed, holder, thief
    ) -> None:
        app, first = signed
        stolen = await refresh(client, app, first["refresh_token"], thief)
        assert stolen.json()["error"] == "invalid_grant"
        assert "another key" in stolen.json()["error_description"]
        goes_on = await refresh(client, app, first["refresh_token"], holder)
        assert goes_on.status_code == 200
        later = await refresh(client, app, goes_on.json()["refresh_token"], thief)
        assert "another key" in later.json()["error_description"], "its successor neither"
        async with database.begin(SYSTEM) as tx:
            said = await tx.connection.fetch("SELECT rule, subject_id FROM audit_entries")
        (subject,) = {row["subject_id"] for row in said if row["rule"] == "authorization_code"}
        assert ("refresh_token_other_key", subject) in {tuple(row) for row in said}

    @pytest.mark.parametrize("thief", [None, Holder()])
    async def test_a_spent_one_without_the_key_ends_the_sign_in(
        self, client, signed, holder, thief
    ) -> None:
        app, first = signed
        second = (await refresh(client, app, first["refresh_token"], holder)).json()
        assert (await refresh(client, app, first["refresh_token"], thief)).status_code == 400
        assert (await refresh(client, app, second["refresh_token"], holder)).status_code == 400
        me = await holder.ask(client, "GET", "/v1/me", second["access_token"])
        assert me.status_code == 401

    async def test_many_at_once_get_one_successor(
        self, app, settings, live_database, unique
    ) -> None:
        holder = Holder()
        await a_person(live_database, unique)
        async with calling(app, settings, live_database) as client:
            own, first = await signed_in(client, live_database, unique, holder)
            answers = await asyncio.gather(
                *(refresh(client, own, first["refresh_token"], holder) for _ in range(6))
            )
        assert {each.status_code for each in answers} == {200}
        assert len({each.json()["refresh_token"] for each in answers}) == 1
        async with live_database.begin(SYSTEM) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM refresh_tokens") == 2
