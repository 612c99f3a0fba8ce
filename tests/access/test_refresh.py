"""Refresh tokens rotate; a lost reply is forgiven once, a thief ends the sign-in (TOK-7)."""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.apps import a_person, refresh, signed_in


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
