"""Machines prove themselves with a registered key, or in a sandbox with a secret (TOK-5)."""

import base64
import json
from datetime import timedelta

import httpx
import pytest
from jose import jwt

from app import main
from app.core.data.db import SYSTEM
from app.core.http.rate_limits import RateLimits
from app.core.settings import Environment
from tests.access.apps import ISSUER, JWT_BEARER, Machine, a_key, a_machine, an_app

GRANT = {"grant_type": "client_credentials"}


async def ask(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/oauth/token", data={**GRANT, **fields})


@pytest.mark.parametrize("key", ["EC", "RSA"])
async def test_issues_for_a_key(client, database, now, key) -> None:
    machine = await a_machine(database, key=key)
    answer = await ask(client, **machine.proof(now))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    issued = answer.json()
    assert issued["expires_in"] == 300
    assert "refresh_token" not in issued
    claims = jwt.get_unverified_claims(issued["access_token"])
    assert claims["sub"] == f"client:{machine.client_id}"
    assert claims["agency"] == str(machine.agency_id)
    me = await client.get("/v1/me", headers={"authorization": f"Bearer {issued['access_token']}"})
    assert me.json()["role"] == "school_system"


async def test_budget_is_one_look_one_proof_one_audit(client, database, now, queries) -> None:
    machine = await a_machine(database)
    proof = machine.proof(now)
    queries.clear()
    await ask(client, **proof)
    assert len(queries) == 3, queries.statements


async def test_who_has_the_key_is_told_what_to_mend_and_nobody_else(client, database, now) -> None:
    machine = await a_machine(database)
    wrong = await ask(client, **machine.proof(now, aud=f"{ISSUER}/oauth/token"))
    assert wrong.json()["error_description"] == (
        f"Client authentication failed. aud must be our issuer, as one string: {ISSUER}"
    )
    stranger = Machine(machine.client_id, machine.agency_id, a_key()[0])
    other = await ask(client, **stranger.proof(now, aud=f"{ISSUER}/oauth/token"))
    assert "See, in this order" in other.json()["error_description"]


async def test_assertion_is_used_once(client, database, now) -> None:
    machine = await a_machine(database)
    proof = machine.proof(now)
    assert (await ask(client, **proof)).status_code == 200
    again = await ask(client, **proof)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "jti was used before" in again.json()["error_description"]


async def test_assertion_spent_on_a_refused_request_is_spent(client, database, now) -> None:
    machine = await a_machine(database)
    proof = machine.proof(now)
    assert (await ask(client, scope="everything", **proof)).json()["error"] == "invalid_scope"
    assert (await ask(client, **proof)).json()["error"] == "invalid_client"


def seconds(now, n: int) -> int:
    return int((now + timedelta(seconds=n)).timestamp())


WRONG_CLAIMS = {
    "aud elsewhere": {"aud": "https://else.example/oauth/token"},
    "aud is the token endpoint": {"aud": f"{ISSUER}/oauth/token"},
    "aud missing": {"aud": ...},
    "iss missing": {"iss": ...},
    "iss of another": {"iss": "00000000-0000-0000-0000-000000000000"},
    "sub of another": {"sub": "00000000-0000-0000-0000-000000000000"},
    "sub long": {"sub": "x" * 300},
    "exp missing": {"exp": ...},
    "exp now": {"exp": 0},
    "exp far": {"exp": 3601},
    "exp years": {"exp": 10**9},
    "iat ahead": {"iat": 61},
    "iat long ago": {"iat": -300},
    "nbf ahead": {"nbf": 61},
    "jti missing": {"jti": ...},
    "jti number": {"jti": 7},
    "jti empty": {"jti": ""},
    "jti long": {"jti": "j" * 201},
    "jti nul": {"jti": "a\x00b"},
}
"""Times are seconds from now."""


@pytest.mark.parametrize("case", WRONG_CLAIMS)
async def test_wrong_claims_prove_nothing(client, database, now, case) -> None:
    machine = await a_machine(database)
    claims = {
        name: seconds(now, value) if type(value) is int and name != "jti" else value
        for name, value in WRONG_CLAIMS[case].items()
    }
    answer = await ask(client, client_id=str(machine.client_id), **machine.proof(now, **claims))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), case


ODD_TIMES = ["null", "[]", "{}", "1e999", "-1", '"soon"', "true", "1.5", "9" * 400]


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ODD_TIMES)
async def test_odd_times_are_refused_not_faults(client, database, now, name, value) -> None:
    # Written by hand: a library would not sign them (F2).
    machine = await a_machine(database)
    identity = f'"{machine.client_id}"'
    times = {"exp": str(seconds(now, 60)), name: value}
    numbers = ",".join(f'"{key}":{number}' for key, number in times.items())
    payload = f'{{"iss":{identity},"sub":{identity},"aud":"{ISSUER}","jti":"x",{numbers}}}'
    answer = await ask(
        client, client_assertion_type=JWT_BEARER, client_assertion=_signed(machine, payload)
    )
    # A number of the past says from when on it counts; nothing else may pass.
    assert answer.status_code == (200 if (value, name) == ("-1", "nbf") else 401)


def _signed(machine: Machine, payload: str, header: dict | None = None) -> str:
    from jose import jws  # noqa: PLC0415  only here

    return jws.sign(
        payload.encode(), machine.pem, headers={"kid": "one", **(header or {})}, algorithm="ES256"
    )


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "two"},
        {"kid": ["one"]},
        {"crit": ["exp"]},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "EC"}},
        {"typ": "at+jwt"},
        {"b64": False},
    ],
)
async def test_wrong_headers_prove_nothing(client, database, now, header) -> None:
    machine = await a_machine(database)
    answer = await ask(client, **machine.proof(now, header=header))
    assert answer.json()["error"] == "invalid_client"


async def test_another_key_or_algorithm_proves_nothing(client, database, now) -> None:
    machine = await a_machine(database)
    stranger, public = a_key()
    claims = jwt.get_unverified_claims(machine.assertion(now))
    forged = [
        jwt.encode(claims, stranger, algorithm="ES256", headers={"kid": "one"}),
        jwt.encode(claims, public["x"], algorithm="HS256", headers={"kid": "one"}),
        f"{_b64({'alg': 'none', 'kid': 'one'})}.{_b64(claims)}.",
        f"{_b64({'alg': 'none', 'kid': 'one'})}.{_b64(claims)}.AA",
        "a.b.c",
        "",
        "é",
        "[" * 3000,
        f"{base64.urlsafe_b64encode(b'[' * 2000).decode().rstrip('=')}.e30.AA",
    ]
    for assertion in forged:
        answer = await ask(
            client,
            client_id=str(machine.client_id),
            client_assertion_type=JWT_BEARER,
            client_assertion=assertion,
        )
        assert answer.json()["error"] == "invalid_client", assertion[:40]


def _b64(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_unknown_client_and_bad_key_are_answered_alike(client, database, now) -> None:
    machine = await a_machine(database)
    stranger, _ = a_key()
    unknown = Machine(machine.agency_id, machine.agency_id, stranger)
    bad = Machine(machine.client_id, machine.agency_id, stranger)
    first, second = [await ask(client, **each.proof(now)) for each in (unknown, bad)]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    async with database.begin(SYSTEM) as tx:
        rules = await tx.connection.fetch("SELECT decision, rule FROM audit_entries")
    assert {row["decision"] for row in rules} == {"denied"}
    assert len(rules) == 1, "one address, one reason"


@pytest.mark.parametrize("what", ["clients", "agencies"])
async def test_suspension_counts_at_once(client, database, now, what) -> None:
    machine = await a_machine(database)
    issued = (await ask(client, **machine.proof(now))).json()
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(f"UPDATE {what} SET active = false")
    headers = {"authorization": f"Bearer {issued['access_token']}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    assert (await ask(client, **machine.proof(now))).json()["error"] == "invalid_client"


class TestSecrets:
    async def test_basic_and_post_work_in_a_sandbox(self, client, database) -> None:
        machine = await a_machine(database, key=None)
        named = str(machine.client_id)
        posted = await ask(client, client_id=named, client_secret=machine.secret)
        assert posted.status_code == 200
        basic = await client.post("/oauth/token", data=GRANT, auth=(named, machine.secret))
        assert basic.status_code == 200
        wrong = await client.post("/oauth/token", data=GRANT, auth=(named, "wrong"))
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"].startswith("Basic")

    async def test_production_refuses_them(self, app, settings, database) -> None:
        machine = await a_machine(database, key=None)
        production = settings.model_copy(update={"environment": Environment.production})
        async with main.state(production, database) as shared:

            async def with_state(scope, receive, send):
                scope["state"] = dict(shared)
                await app(scope, receive, send)

            transport = httpx.ASGITransport(with_state)
            async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
                answer = await ask(
                    http, client_id=str(machine.client_id), client_secret=machine.secret
                )
                described = await http.get("/.well-known/oauth-authorization-server")
        assert answer.json()["error"] == "invalid_client"
        methods = described.json()["token_endpoint_auth_methods_supported"]
        assert methods == ["private_key_jwt", "none"]

    async def test_a_machine_without_proof_is_refused(self, client, database) -> None:
        machine = await a_machine(database)
        for secret in ({}, {"client_secret": ""}):
            answer = await ask(client, client_id=str(machine.client_id), **secret)
            assert answer.json()["error"] == "invalid_client"

    @pytest.mark.parametrize(
        "header", ["Basic", "Basic !!", "Bearer x", "Basic eA==", "Basic /w=="]
    )
    async def test_malformed_authorization(self, client, header) -> None:
        answer = await client.post("/oauth/token", data=GRANT, headers={"authorization": header})
        assert answer.status_code == 401


async def test_one_way_of_authentication_at_a_time(client, database, now) -> None:
    machine = await a_machine(database)
    answer = await ask(client, client_secret="x", **machine.proof(now))
    assert answer.json()["error"] == "invalid_request"
    untyped = {**machine.proof(now), "client_assertion_type": "jwt"}
    assert (await ask(client, **untyped)).json()["error"] == "invalid_request"
    two = await client.post(
        "/oauth/token", data={**GRANT, "client_id": "other"}, auth=(str(machine.client_id), "x")
    )
    assert two.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("grant", "error"),
    [({"grant_type": "password"}, "unsupported_grant_type"), ({}, "invalid_request")],
)
async def test_who_asks_for_another_grant_hears_which_there_are(
    client, database, now, grant, error
) -> None:
    machine = await a_machine(database)
    answer = await client.post("/oauth/token", data={**grant, **machine.proof(now)})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "client_credentials" in answer.json()["error_description"]


async def test_apps_have_no_authority_of_their_own(client, database) -> None:
    answer = await ask(client, client_id=str(await an_app(database)))
    assert answer.json()["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    ("scope", "error"), [("clients:write", "invalid_scope"), ("x", "invalid_scope")]
)
async def test_role_limits_scopes(client, database, now, scope, error) -> None:
    machine = await a_machine(database)
    assert (await ask(client, scope=scope, **machine.proof(now))).json()["error"] == error
    narrowed = await ask(client, scope="me:read", **machine.proof(now))
    assert narrowed.json()["scope"] == "me:read"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"grant_type=password", "application/x-www-form-urlencoded"),
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"grant_type=%00", "application/x-www-form-urlencoded"),
        (b"grant_type", "application/x-www-form-urlencoded"),
        ("grant_type=密".encode(), "application/x-www-form-urlencoded"),
        (b"x=" + b"y" * 17_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=b" % n for n in range(50)), "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b'{"grant_type":"client_credentials"}', "application/json"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
async def test_malformed_forms_are_oauth_errors(client, body, media_type) -> None:
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        answer = await client.post(path, content=body, headers={"content-type": media_type})
        assert answer.status_code in {400, 401}, answer.text
        assert answer.json()["error"] in {"invalid_request", "invalid_client"}
        assert answer.headers["cache-control"] == "no-store"


async def test_a_machine_that_asks_too_often_waits(app, settings, database, now) -> None:
    machine = await a_machine(database)
    async with main.state(settings, database) as shared:
        limited = {**shared, "rate_limits": RateLimits(per_second=1, burst=2)}

        async def with_state(scope, receive, send):
            scope["state"] = dict(limited)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
            named = {"client_id": str(machine.client_id), "client_secret": "guess"}
            statuses = [(await ask(http, **named)).status_code for _ in range(3)]
            other = await ask(http, **(await a_machine(database)).proof(now))
    assert statuses == [401, 401, 429]
    assert other.status_code == 200
