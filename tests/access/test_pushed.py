"""What an app asks for is pushed by itself, and is used once (PAR, RFC 9126)."""

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.access import operations
from app.core.data.db import SYSTEM
from tests.access.apps import (
    CALLBACK,
    ISSUER,
    PASSWORD,
    Form,
    Holder,
    Machine,
    a_key,
    a_machine,
    a_person,
    an_app,
    answer_of,
    authorization,
    exchange,
    pkce,
    refresh,
)


async def a_server_app(database, **more: Any) -> Machine:
    """Register an app that runs on a server and proves itself, and return it as a machine is."""
    pem, public = a_key()
    async with database.begin(SYSTEM) as tx:
        made = await operations.create_app(
            tx, name="web", redirect_uris=[CALLBACK], jwks={"keys": [public]}, **more
        )
    return Machine(made.id, made.id, pem)


async def push(client, fields: dict[str, str], holder: Holder | None = None):
    if holder is not None:
        return await holder.post(client, "/oauth/par", fields)
    return await client.post("/oauth/par", data=fields)


async def follow(client, client_id, request_uri: str, username: str, **more: str):
    """Go to the sign-in page by what was pushed, and sign in."""
    asked = {"client_id": str(client_id), "request_uri": request_uri, **more}
    page = await client.get("/oauth/authorize", params=asked)
    assert page.status_code == 200, page.text
    form = Form(page)
    fields = {**form.fields, "username": username, "password": PASSWORD}
    return await client.post(form.action, data=fields)


async def test_sign_in_by_what_was_pushed(client, database, unique) -> None:
    await a_person(database, unique)
    app, holder, (verifier, challenge) = await an_app(database), Holder(), pkce()
    answer = await push(client, authorization(app, challenge), holder)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert told["expires_in"] == 300
    page = await client.get(
        "/oauth/authorize",
        params={"client_id": str(app), "request_uri": told["request_uri"], "state": "other"},
    )
    switch = next(part for part in page.text.split('"') if part.startswith("/oauth/authorize?"))
    named = parse_qs(urlsplit(switch.replace("&amp;", "&")).query)
    assert named.keys() == {"client_id", "request_uri", "lang"}
    assert CALLBACK.rpartition("/")[0] in page.headers["content-security-policy"]
    redirect = await follow(client, app, told["request_uri"], unique, state="other")
    said = answer_of(redirect)
    assert (said["state"], said["iss"]) == ("xyz", ISSUER)
    issued = await exchange(client, app, said["code"], verifier, holder)
    assert issued.json()["token_type"] == "DPoP"


async def test_is_used_once(client, database, unique) -> None:
    await a_person(database, unique)
    app, (_, challenge) = await an_app(database), pkce()
    pushed = (await push(client, authorization(app, challenge))).json()["request_uri"]
    form = Form(
        await client.get("/oauth/authorize", params={"client_id": str(app), "request_uri": pushed})
    )
    fields = {**form.fields, "username": unique, "password": PASSWORD}
    assert (await client.post(form.action, data=fields)).status_code == 303
    assert (await client.post(form.action, data=fields)).status_code == 400
    again = await client.get(
        "/oauth/authorize", params={"client_id": str(app), "request_uri": pushed}
    )
    assert again.status_code == 400
    assert "location" not in again.headers


@pytest.mark.parametrize("case", ["another app's", "too old", "never pushed"])
async def test_of_others_or_too_old_is_nothing(client, database, now, case) -> None:
    app, other, (_, challenge) = await an_app(database), await an_app(database), pkce()
    pushed = (await push(client, authorization(app, challenge))).json()["request_uri"]
    if case == "too old":
        database.clock = lambda: now + timedelta(minutes=5)
    if case == "never pushed":
        pushed = pushed[:-1] + ("A" if pushed[-1] != "A" else "B")
    named = {"client_id": str(other if case == "another app's" else app), "request_uri": pushed}
    assert (await client.get("/oauth/authorize", params=named)).status_code == 400


WRONG = {
    "a request in a request": ({"request_uri": "urn:x"}, "invalid_request"),
    "another address": ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
    "no address": ({"redirect_uri": None}, "invalid_request"),
    "another kind of answer": ({"response_type": "token"}, "unsupported_response_type"),
    "no challenge": ({"code_challenge": None}, "invalid_request"),
    "a plain challenge": ({"code_challenge_method": "plain"}, "invalid_request"),
    "a scope that is none": ({"scope": "everything"}, "invalid_scope"),
    "a key that is none": ({"dpop_jkt": "short"}, "invalid_request"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_nobody_may_ask_for_is_refused_at_once(client, database, case) -> None:
    changed, error = WRONG[case]
    app, (_, challenge) = await an_app(database), pkce()
    answer = await push(client, authorization(app, challenge, **changed))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_machines_sign_nobody_in(client, database, now) -> None:
    machine = await a_machine(database)
    answer = await push(client, {"client_id": str(machine.client_id), **machine.proof(now)})
    assert answer.json()["error"] == "unauthorized_client"


async def test_app_registered_so_is_sent_with_pushed_requests_only(client, database) -> None:
    app, (_, challenge) = await an_app(database, pushed=True), pkce()
    plain = await client.get("/oauth/authorize", params=authorization(app, challenge))
    said = answer_of(plain)
    assert (said["error"], "Push it" in said["error_description"]) == ("invalid_request", True)
    pushed = (await push(client, authorization(app, challenge))).json()["request_uri"]
    named = {"client_id": str(app), "request_uri": pushed}
    assert (await client.get("/oauth/authorize", params=named)).status_code == 200


class TestCodeForAKey:
    """RFC 9449 §10: who steals a code has not the key."""

    @pytest.mark.parametrize("how", ["pushed with a proof", "pushed by name", "by name"])
    async def test_counts_with_the_key_only(self, client, database, unique, how) -> None:
        await a_person(database, unique)
        app, holder, (verifier, challenge) = await an_app(database), Holder(), pkce()
        named = {"dpop_jkt": holder.thumbprint}
        for thief in (Holder(), None, holder):
            if how == "by name":
                page = await client.get(
                    "/oauth/authorize", params=authorization(app, challenge, **named)
                )
                form = Form(page)
                fields = {**form.fields, "username": unique, "password": PASSWORD}
                redirect = await client.post(form.action, data=fields)
            else:
                asked = authorization(app, challenge, **(named if "name" in how else {}))
                told = await push(client, asked, holder if "proof" in how else None)
                redirect = await follow(client, app, told.json()["request_uri"], unique)
            answer = await exchange(client, app, answer_of(redirect)["code"], verifier, thief)
            if thief is holder:
                assert answer.status_code == 200, answer.text
            else:
                assert answer.json()["error"] == "invalid_grant"
                assert "another key" in answer.json()["error_description"]

    async def test_name_and_proof_must_agree(self, client, database) -> None:
        app, (_, challenge) = await an_app(database), pkce()
        asked = authorization(app, challenge, dpop_jkt=Holder().thumbprint)
        answer = await push(client, asked, Holder())
        assert answer.json()["error"] == "invalid_dpop_proof"

    async def test_name_must_be_one(self, client, database) -> None:
        app, (_, challenge) = await an_app(database), pkce()
        page = await client.get(
            "/oauth/authorize", params=authorization(app, challenge, dpop_jkt="x")
        )
        assert answer_of(page)["error"] == "invalid_request"


class TestConfidentialApp:
    """An app with keys of its own proves itself, wherever it comes (FAPI 2.0)."""

    async def test_whole_way(self, client, database, now, unique) -> None:
        await a_person(database, unique)
        app, holder, (verifier, challenge) = await a_server_app(database), Holder(), pkce()
        own = str(app.client_id)
        asked = authorization(app.client_id, challenge)
        for unproven in (asked, {**asked, "client_id": own, "client_secret": "x"}):
            answer = await push(client, unproven, holder)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        plain = await client.get("/oauth/authorize", params=asked)
        assert answer_of(plain)["error"] == "invalid_request"
        told = (await push(client, {**asked, **app.proof(now)}, holder)).json()
        code = answer_of(await follow(client, own, told["request_uri"], unique))["code"]
        assert (await exchange(client, app.client_id, code, verifier, holder)).status_code == 401
        issued = await exchange(client, app.client_id, code, verifier, holder, **app.proof(now))
        assert issued.json()["token_type"] == "DPoP", issued.text
        kept = issued.json()["refresh_token"]
        # Nobody else can use it, so it stays; the key of the tokens may change.
        for later in (holder, Holder()):
            again = await refresh(client, app.client_id, kept, later, **app.proof(now))
            assert again.json()["refresh_token"] == kept, again.text
        assert (await refresh(client, app.client_id, kept, holder)).status_code == 401
        gone = await client.post("/oauth/revoke", data={"token": kept, **app.proof(now)})
        assert gone.status_code == 200
        late = await refresh(client, app.client_id, kept, holder, **app.proof(now))
        assert late.json()["error"] == "invalid_grant"


async def test_address_that_pushes_for_apps_anybody_knows_waits(client, database) -> None:
    app, (_, challenge) = await an_app(database), pkce()
    asked = authorization(app, challenge)
    statuses = {(await push(client, asked)).status_code for _ in range(101)}
    assert statuses == {201, 429}


async def test_what_was_never_used_is_forgotten(client, database, now) -> None:
    from app.access import jobs  # noqa: PLC0415

    app, (_, challenge) = await an_app(database), pkce()
    await push(client, authorization(app, challenge, state=secrets.token_hex(4)))
    left = []
    for days in (0, 2):
        database.clock = lambda after=days: now + timedelta(days=after)
        async with database.begin(SYSTEM) as tx:
            await jobs.forget_expired(tx, {})
            left.append(await tx.connection.fetchval("SELECT count(*) FROM pushed_requests"))
    assert left == [1, 0]
