"""Tokens nobody issued: one trace of each address and reason, no transaction, no row for each."""

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jose import jwt

from app import main
from app.access import tokens
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.recording import RecordAway
from tests.access.factories import a_caller

VILLAGE = 120119101200


@asynccontextmanager
async def from_address(app, settings, database, address: str = "203.0.113.9", **shared: Any):
    async with main.state(settings, database) as state:

        async def with_state(scope, receive, send):
            scope["state"] = {**state, **shared}
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, client=(address, 4321))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http


def forged(settings, **header: Any) -> dict[str, str]:
    """Headers with a token under a key of one's own."""
    [(_, pem)] = Keyring.generate().signing.items()
    said = {"typ": "at+jwt", "kid": "no-such-key", **header}
    token = jwt.encode({"sub": f"staff:{uuid4()}"}, pem, algorithm="ES256", headers=said)
    return {"authorization": f"Bearer {token}"}


async def traces_of(database: Database) -> list[tuple[str, str, str | None, str | None]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT operation, actor, rule, ip, decision FROM audit_entries ORDER BY id"
        )
    assert {row["decision"] for row in rows} <= {"denied"}
    return [(row["operation"], row["actor"], row["rule"], row["ip"]) for row in rows]


async def test_a_flood_leaves_one_trace_of_each_reason(
    app, settings, database, queries, client
) -> None:
    kid, typ = forged(settings), forged(settings, typ="JWT")
    async with from_address(app, settings, database) as http:
        queries.clear()
        for _ in range(20):
            for headers in (kid, typ):
                answer = await http.get("/v1/me", headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (401, UNAUTHENTICATED)
                assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert len(queries) == 2, "a row each, and nothing for the other 38"
    assert await traces_of(database) == [
        ("readMe", "unknown", "token-kid", "203.0.113.9"),
        ("readMe", "unknown", "token-typ", "203.0.113.9"),
    ]


UNAUTHENTICATED = "/problems/unauthenticated"


async def test_a_forged_or_missing_token_begins_no_transaction(
    app, settings, database, monkeypatch
) -> None:
    async with from_address(app, settings, database) as http:
        await http.get("/v1/me", headers=forged(settings))  # the one that is recorded
        begun = []
        begin = Database.begin

        def counted(self, *given):
            begun.append(self)
            return begin(self, *given)

        monkeypatch.setattr(Database, "begin", counted)
        for headers in (forged(settings), {}, {"authorization": "Basic eDp5"}):
            for method, path in (("GET", "/v1/me"), ("POST", "/v1/police-reports")):
                answer = await http.request(method, path, headers=headers, json={})
                assert answer.status_code == 401, answer.text
    assert begun == []


async def test_each_address_leaves_its_own_and_all_together_so_many(
    app, settings, database
) -> None:
    async with main.state(settings, database) as state:
        limits = state["traces"]
    for number in range(70):
        address = f"2001:db8:0:{number:x}::{number + 1:x}"
        async with from_address(app, settings, database, address, traces=limits) as http:
            for _ in range(2):
                await http.get("/v1/me", headers=forged(settings))
    found = await traces_of(database)
    assert len(found) == len({*found}) == 60


async def test_a_neighbour_in_ones_own_network_is_oneself(app, settings, database) -> None:
    async with main.state(settings, database) as state:
        limits = state["traces"]
    for number in range(5):
        address = f"2001:db8::{number + 1:x}"
        async with from_address(app, settings, database, address, traces=limits) as http:
            await http.get("/v1/me", headers=forged(settings))
    assert len(await traces_of(database)) == 1


async def test_a_token_that_was_ours_leaves_none(app, settings, database, clock_later) -> None:
    caller = await a_caller(database, settings, "village_director", VILLAGE)
    async with from_address(app, settings, database) as http:
        clock_later(seconds=601)
        answer = await http.get("/v1/me", headers=caller.headers)
        assert answer.status_code == 401
    assert await traces_of(database) == []


@pytest.fixture
def clock_later(database, monkeypatch):
    def later(**by: int) -> None:
        now = database.clock() + timedelta(**by)
        monkeypatch.setattr(database, "clock", lambda: now)

    return later


async def test_what_cannot_be_recorded_is_refused_all_the_same(
    app, settings, database, monkeypatch
) -> None:
    def away(*_: Any) -> Any:
        raise RecordAway

    monkeypatch.setattr(database.recording, "kept", away)
    async with from_address(app, settings, database) as http:
        answer = await http.get("/v1/me", headers=forged(settings))
    assert answer.status_code == 401
    assert await traces_of(database) == []


async def test_who_is_no_client_leaves_one_trace_at_the_token_endpoint(
    app, settings, database
) -> None:
    form = {"grant_type": "client_credentials", "client_id": str(uuid4()), "client_secret": "x"}
    async with from_address(app, settings, database) as http:
        for _ in range(10):
            answer = await http.post("/oauth/token", data=form)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    [(operation, actor, _, address)] = await traces_of(database)
    assert (operation, actor, address) == ("issueToken", "unknown", "203.0.113.9")


def test_reasons_are_few_and_ours(database, settings) -> None:
    """They are written down: nothing of a token is among them."""
    keys = tokens.token_keys(database.keyring.signing, issuer="i", audience="a")
    for token in ("x", "a.b.c", "e30.e30.e30", "张三", "." * 5000):
        with pytest.raises(tokens.TokenRefused) as refused:
            tokens.verify(keys, token, now=database.clock())
        assert refused.value.reason.replace("_", "").isalpha()
