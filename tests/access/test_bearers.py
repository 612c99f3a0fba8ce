"""Tokens bound to no key: in production by an exception with a name, a reason and an end."""

from datetime import timedelta

import pytest

from app.core import areas
from app.core.data.db import SYSTEM
from app.core.settings import Environment
from tests.access.approving import problem, send_by_two
from tests.access.apps import (
    Holder,
    a_machine,
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
from tests.regions.factories import some_regions

GRANT = {"grant_type": "client_credentials"}
REASON = "The library of the case system signs no proofs; its update is due in March."
POLICE = ("police", 120119000000)


@pytest.fixture
async def production(app, settings, database):
    changed = settings.model_copy(update={"environment": Environment.production})
    async with calling(app, changed, database) as http:
        yield http


@pytest.fixture
async def operator(database, settings):
    await some_regions(database, 120119101200)
    return await a_caller(database, settings, "operator", 120119000000)


@pytest.fixture
async def colleague(database, settings, operator):
    """The second operator."""
    agency = operator.agency_id
    return await a_caller(database, settings, "operator", 120119000000, agency_id=agency)


async def allow(client, operator, colleague, place, body):
    how = ("allowBearerTokens", "PUT", place, body)
    return await send_by_two(client, operator, colleague, *how)


def until(now, **after: float) -> dict[str, str]:
    return {"reason": REASON, "until": (now + timedelta(**after)).isoformat()}


async def the_police(database):
    return await a_machine(database, *POLICE, agency_kind="police")


async def ask(client, machine, now, **fields: str):
    return await client.post("/oauth/token", data={**GRANT, **machine.proof(now), **fields})


async def test_in_production_nobody_gets_one(production, database, now) -> None:
    machine, holder = await the_police(database), Holder()
    refused = await ask(production, machine, now)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert "send a DPoP header" in refused.json()["error_description"]
    bound = await holder.post(production, "/oauth/token", {**GRANT, **machine.proof(now)})
    assert bound.json()["token_type"] == "DPoP"
    assert "police_reports:read" in bound.json()["scope"].split()


async def test_an_exception_is_short_and_tells_of_no_case(
    production, client, database, operator, colleague, now
) -> None:
    machine = await the_police(database)
    place = f"/v1/clients/{machine.client_id}/bearer-exception"
    alone = await client.put(place, json=until(now, days=30), headers=operator.headers)
    assert problem(alone) == (403, "approval-required")
    given = await allow(client, operator, colleague, place, until(now, days=30))
    assert given.status_code == 200, given.text
    told = given.json()["bearer_exception"]
    assert (told["reason"], told["given_by"]) == (REASON, operator.claims["subject"])
    listed = await client.get("/v1/clients", headers=operator.headers)
    shown = {each["id"]: each["bearer_exception"] for each in listed.json()["items"]}
    assert shown[str(machine.client_id)] == told
    issued = (await ask(production, machine, now)).json()
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 120)
    withheld = {code for code, scope in areas.scopes().items() if scope.bound_only}
    assert withheld == {
        *("police_reports:read", "police_reports:handle", "police_reports:receive"),
        *("police_reports:match", "reporters:read"),
    }
    assert not withheld & set(issued["scope"].split())
    asked = await ask(production, machine, now, scope="reporters:read")
    assert asked.json()["error"] == "invalid_scope"
    database.clock = lambda: now + timedelta(days=30)
    assert "error" in (await ask(production, machine, now + timedelta(days=30))).json()
    read = await client.get(f"/v1/clients/{machine.client_id}", headers=operator.headers)
    assert read.status_code == 401  # that token is long over


async def test_ends_by_its_time_and_by_a_word(
    production, client, database, operator, colleague, now
) -> None:
    """By one person, at once: another reviews it."""
    machine = await the_police(database)
    place = f"/v1/clients/{machine.client_id}/bearer-exception"
    await allow(client, operator, colleague, place, until(now, days=1))
    again = await allow(client, operator, colleague, place, until(now, minutes=2))
    assert again.json()["bearer_exception"]["until"].startswith("2026-11-20T02:02")
    database.clock = lambda: now + timedelta(minutes=2)
    late = await ask(production, machine, now + timedelta(minutes=2))
    assert late.json()["error"] == "invalid_dpop_proof"
    read = await client.get(f"/v1/clients/{machine.client_id}", headers=operator.headers)
    assert read.json()["bearer_exception"] is None
    database.clock = lambda: now
    assert (await ask(production, machine, now)).status_code == 200
    ended = await client.delete(place, headers=operator.headers)
    assert ended.json()["bearer_exception"] is None
    assert (await ask(production, machine, now)).json()["error"] == "invalid_dpop_proof"
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT ended_by FROM bearer_exceptions")
        owed = await tx.connection.fetch("SELECT operation, subject_id FROM reviews")
    assert [tuple(row) for row in owed] == [("endBearerTokens", machine.client_id)]
    assert {row["ended_by"] for row in rows} == {operator.claims["subject"]}
    assert len(rows) == 2


@pytest.mark.parametrize("after", [{"seconds": 0}, {"days": 91}])
async def test_has_an_end_that_is_near(client, database, operator, now, after) -> None:
    machine = await the_police(database)
    place = f"/v1/clients/{machine.client_id}/bearer-exception"
    answer = await client.put(place, json=until(now, **after), headers=operator.headers)
    assert answer.json()["type"] == "/problems/exception-too-long"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_the_operator_gives_one(client, database, settings, now, method) -> None:
    machine = await a_machine(database, "civil_affairs", 120119000000, agency_kind="civil_affairs")
    own = await a_caller(
        database, settings, "civil_affairs", 120119000000, agency_id=machine.agency_id
    )
    place = f"/v1/clients/{machine.client_id}/bearer-exception"
    body = {"json": until(now, days=1)} if method == "PUT" else {}
    answer = await client.request(method, place, headers=own.headers, **body)
    assert answer.json()["type"] == "/problems/not-yours-to-register"


async def test_registered_as_bound_has_no_exception(
    production, client, database, operator, colleague, now
) -> None:
    machine = await the_police(database)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE clients SET dpop_bound_access_tokens = true")
    place = f"/v1/clients/{machine.client_id}/bearer-exception"
    given = await allow(client, operator, colleague, place, until(now, days=1))
    assert given.status_code == 200, given.text
    for where in (production, client):
        assert (await ask(where, machine, now)).json()["error"] == "invalid_dpop_proof"


async def test_app_by_exception(
    production, client, database, operator, colleague, now, unique
) -> None:
    """An app whose library signs no proofs: its people get in, and refresh, and see no case."""
    await a_person(database, unique)
    app, (verifier, challenge) = await an_app(database), pkce()
    code = answer_of(await sign_in(client, app, challenge, unique))["code"]
    refused = await exchange(production, app, code, verifier)
    assert refused.json()["error"] == "invalid_dpop_proof"
    place = f"/v1/clients/{app}/bearer-exception"
    given = await allow(client, operator, colleague, place, until(now, days=1))
    assert given.status_code == 200, given.text
    issued = (await exchange(production, app, code, verifier)).json()  # it was not spent
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 120)
    assert "police_reports:file" in issued["scope"].split()
    assert "police_reports:read" not in issued["scope"].split()
    assert (await refresh(production, app, issued["refresh_token"])).status_code == 200


async def test_a_key_of_ones_own_makes_a_bearers_refresh_token_no_better(
    production, client, database, operator, colleague, now, unique
) -> None:
    """Whoever copied it has a key, too: it says nothing of who it was given to."""
    await a_person(database, unique)
    app, (verifier, challenge), thief = await an_app(database), pkce(), Holder()
    code = answer_of(await sign_in(client, app, challenge, unique))["code"]
    place = f"/v1/clients/{app}/bearer-exception"
    await allow(client, operator, colleague, place, until(now, days=1))
    copied = (await exchange(production, app, code, verifier)).json()["refresh_token"]
    issued = (await refresh(production, app, copied, thief)).json()
    assert issued["expires_in"] == 120
    assert "police_reports:file" in issued["scope"].split()
    assert "police_reports:read" not in issued["scope"].split()
    asked = await refresh(production, app, copied, thief, scope="police_reports:read")
    assert asked.json()["error"] == "invalid_scope"
    assert (await client.delete(place, headers=operator.headers)).status_code == 200
    over = await refresh(production, app, issued["refresh_token"], thief)
    assert (over.json()["error"], over.status_code) == ("invalid_grant", 400)
    assert "sign in again" in over.json()["error_description"]


async def test_sandboxes_and_the_demo_go_on_as_before(client, database, now) -> None:
    machine = await the_police(database)
    issued = (await ask(client, machine, now)).json()
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 300)
    assert "police_reports:read" in issued["scope"].split()
