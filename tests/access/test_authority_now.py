"""A token is a ceiling: what changed in the database counts with the next request (TOK-4)."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.apps import a_person, refresh, signed_in
from tests.access.factories import a_caller
from tests.conftest import calling

ENDINGS = {
    "left post": ("UPDATE post_holdings SET until = since WHERE id = $1", "holding"),
    "post not begun": ("UPDATE post_holdings SET since = since + 1 WHERE id = $1", "holding"),
    "post closed": ("UPDATE posts SET active = false WHERE id = $1", "post"),
    "agency suspended": ("UPDATE agencies SET active = false WHERE id = $1", "agency"),
    "app suspended": ("UPDATE clients SET active = false WHERE id = $1", "app"),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_authority_ends_at_once(client, database, unique, ending) -> None:
    person = await a_person(database, unique)
    app, issued = await signed_in(client, database, unique)
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 200
    statement, what = ENDINGS[ending]
    ids = {
        "holding": person.holding_id,
        "post": person.post_id,
        "agency": person.agency_id,
        "app": app,
    }
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(statement, ids[what])
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    again = await refresh(client, app, issued["refresh_token"])
    assert again.json()["error"] in {"invalid_grant", "invalid_client"}


async def test_demoted_post_needs_a_new_token(client, database, unique) -> None:
    person = await a_person(database, unique)
    app, issued = await signed_in(client, database, unique)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE posts SET role = 'auditor' WHERE id = $1", person.post_id
        )
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    renewed = (await refresh(client, app, issued["refresh_token"])).json()
    assert "visits:write" not in renewed["scope"].split()
    headers = {"authorization": f"Bearer {renewed['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).json()["role"] == "auditor"


async def test_suspended_account_cannot_refresh(client, database, unique) -> None:
    await a_person(database, unique)
    app, issued = await signed_in(client, database, unique)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE staff_accounts SET active = false")
    answer = await refresh(client, app, issued["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


async def test_what_a_request_may_see_is_no_other_ones(app, settings, live_database) -> None:
    """Connections are used again: what opened a reach, for whomever, ends with its transaction."""
    asked = "SELECT string_agg(current_setting(name, true), '') FROM unnest($1::text[]) AS name"
    names = [f"tonghu.{name}" for name in SYSTEM.settings]

    async def left() -> str | None:
        async with live_database.begin() as tx:
            return await tx.connection.fetchval(asked, names)

    caller = await a_caller(live_database, settings, "village_director", 120119101200)
    assert not await left()
    async with live_database.begin(SYSTEM) as tx, tx.as_system():
        pass
    assert not await left()
    async with calling(app, settings, live_database) as client:
        assert (await client.get("/v1/me", headers=caller.headers)).status_code == 200
    assert not await left()
