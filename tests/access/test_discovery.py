"""Metadata, keys, revocation and introspection (TOK-3, TOK-9)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from app.core import areas
from app.core.data.db import SYSTEM
from tests.access.apps import ISSUER, a_machine, a_person, an_app, refresh, signed_in

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def a_token(client, machine, now) -> str:
    answer = await client.post(
        "/oauth/token", data={"grant_type": "client_credentials", **machine.proof(now)}
    )
    return answer.json()["access_token"]


async def me(client, token: str):
    return await client.get("/v1/me", headers={"authorization": f"Bearer {token}"})


async def test_metadata_names_what_exists(client) -> None:
    answer = await client.get("/.well-known/oauth-authorization-server")
    told = answer.json()
    assert told["issuer"] == ISSUER
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "password" not in told["grant_types_supported"]
    assert set(told["scopes_supported"]) == areas.scopes().keys()
    for name in ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri"):
        path = told[name].removeprefix(ISSUER)
        method = "GET" if name in {"authorization_endpoint", "jwks_uri"} else "POST"
        assert (await client.request(method, path)).status_code not in {404, 405}


async def test_keys_verify_for_a_stranger(client, database, now) -> None:
    # With nothing of ours: the numbers of the key set, and the curve.
    token = await a_token(client, await a_machine(database), now)
    key, _ = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    numbers = [int.from_bytes(raw(key[name])) for name in ("x", "y")]
    public = ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key()
    signed, _, signature = token.rpartition(".")
    r, s = (int.from_bytes(raw(signature)[half]) for half in (slice(32), slice(32, 64)))
    public.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))


class TestRevocation:
    async def test_access_token(self, client, database, now) -> None:
        machine = await a_machine(database)
        token = await a_token(client, machine, now)
        answer = await client.post("/oauth/revoke", data={"token": token, **machine.proof(now)})
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await me(client, token)).status_code == 401
        async with database.begin(SYSTEM) as tx:
            said = await tx.connection.fetch("SELECT operation, rule FROM audit_entries")
        assert ("revokeToken", "access_token") in [tuple(row) for row in said]

    async def test_malleated_copy_is_revoked_too(self, client, database, now) -> None:
        machine = await a_machine(database)
        token = await a_token(client, machine, now)
        head, _, signature = token.rpartition(".")
        r, s = raw(signature)[:32], int.from_bytes(raw(signature)[32:])
        twin = base64.urlsafe_b64encode(r + (ORDER - s).to_bytes(32)).decode().rstrip("=")
        copy = f"{head}.{twin}"
        assert copy != token
        assert (await me(client, copy)).status_code == 200
        await client.post("/oauth/revoke", data={"token": token, **machine.proof(now)})
        assert (await me(client, copy)).status_code == 401

    async def test_refresh_token_ends_the_sign_in(self, client, database, unique) -> None:
        await a_person(database, unique)
        app, issued = await signed_in(client, database, unique)
        answer = await client.post(
            "/oauth/revoke", data={"client_id": str(app), "token": issued["refresh_token"]}
        )
        assert answer.status_code == 200
        assert (await me(client, issued["access_token"])).status_code == 401
        assert (await refresh(client, app, issued["refresh_token"])).status_code == 400
        async with database.begin(SYSTEM) as tx:
            said = await tx.connection.fetch("SELECT operation, decision FROM audit_entries")
        assert ("revokeToken", "allowed") in [tuple(row) for row in said]

    async def test_of_another_client_changes_nothing(self, client, database, now, unique) -> None:
        machine = await a_machine(database)
        token = await a_token(client, machine, now)
        await a_person(database, unique)
        other, issued = await signed_in(client, database, unique)
        app = await an_app(database)
        for shown in (token, issued["refresh_token"], "nonsense", "é\x01"):
            answer = await client.post(
                "/oauth/revoke", data={"client_id": str(app), "token": shown}
            )
            assert answer.status_code == 200
        assert (await me(client, token)).status_code == 200
        assert (await refresh(client, other, issued["refresh_token"])).status_code == 200

    async def test_needs_a_client(self, client) -> None:
        answer = await client.post("/oauth/revoke", data={"token": "x"})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


class TestIntrospection:
    async def test_describes_a_token_of_the_agency(self, client, database, now) -> None:
        machine = await a_machine(database)
        token = await a_token(client, machine, now)
        answer = await client.post("/oauth/introspect", data={"token": token, **machine.proof(now)})
        told = answer.json()
        assert told["active"] is True
        assert told["sub"] == f"client:{machine.client_id}"
        assert told["exp"] - told["iat"] == 300
        await client.post("/oauth/revoke", data={"token": token, **machine.proof(now)})
        after = await client.post("/oauth/introspect", data={"token": token, **machine.proof(now)})
        assert after.json() == {"active": False}

    @pytest.mark.parametrize("shown", ["nonsense", "a.b.c"])
    async def test_unknown_and_foreign_look_alike(self, client, database, now, shown) -> None:
        machine = await a_machine(database)
        stranger = await a_machine(database)
        token = await a_token(client, machine, now)
        for asked in (token, shown):
            answer = await client.post(
                "/oauth/introspect", data={"token": asked, **stranger.proof(now)}
            )
            assert answer.json() == {"active": False}

    async def test_apps_may_not_ask(self, client, database) -> None:
        answer = await client.post(
            "/oauth/introspect", data={"token": "x", "client_id": str(await an_app(database))}
        )
        assert answer.status_code == 401
