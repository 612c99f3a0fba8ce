"""Whatever stands in the Authorization header: 401 and a challenge, never a fault (TOK-2)."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwt

from app.access import tokens
from app.core.ids import new_id
from tests.access.apps import a_key
from tests.access.factories import Caller, a_caller

EPOCH = 1_795_140_000
"""The tests' now, in Unix seconds."""


def b64(raw: bytes | str) -> str:
    raw = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(pem: str, header: str, payload: str) -> str:
    """Sign any two texts with ES256: no library stands between the test and the verifier."""
    signing = f"{b64(header)}.{b64(payload)}"
    key: Any = load_pem_private_key(pem.encode(), None)
    r, s = decode_dss_signature(key.sign(signing.encode(), ec.ECDSA(SHA256())))
    return f"{signing}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


@pytest.fixture
async def caller(client, database, settings) -> Caller:
    return await a_caller(database, settings, "village_director", 120119101200)


@pytest.fixture
def forge(caller, keyring):
    """Change a good token's header and claims and sign it with the service's own key."""
    kid, pem = next(iter(keyring.signing.items()))
    claims = jwt.get_unverified_claims(caller.token)

    def make(header: dict[str, Any] | None = None, **changed: Any) -> str:
        full = {"alg": "ES256", "typ": "at+jwt", "kid": kid, **(header or {})}
        return signed(pem, _json(full), _json({**claims, **changed}))

    return make


def _json(values: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in values.items() if value is not ...})


async def answered(client, token: str) -> int:
    answer = await client.get("/v1/me", headers={"authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert answer.json()["type"] == "/problems/unauthenticated"
    return answer.status_code


async def test_unchanged_forgery_passes(client, forge, now) -> None:
    assert int(now.timestamp()) == EPOCH
    assert await answered(client, forge()) == 200


NAMES = (
    "iss",
    "aud",
    "sub",
    "client_id",
    "iat",
    "exp",
    "jti",
    "scope",
    "agency",
    "role",
    "grant",
    "sid",
)


@pytest.mark.parametrize("name", NAMES)
async def test_every_claim_is_needed_and_typed(client, forge, name) -> None:
    for value in (..., None, [], {}, True, "", "x", -1, 1.5, 10**30, "\x00", "a" * 40, [[]]):
        # Any text is a list of scopes: of none that helps.
        refusal = 403 if name == "scope" and isinstance(value, str) else 401
        assert await answered(client, forge(**{name: value})) == refusal, (name, value)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": EPOCH},
        {"exp": EPOCH - 1},
        {"exp": EPOCH + 601},
        {"exp": EPOCH + 10**9},
        {"iat": EPOCH + 31},
        {"iat": EPOCH - 301},
        {"nbf": EPOCH + 31},
        {"nbf": None},
        {"nbf": "0"},
        {"aud": ["https://tonghu.example/api"]},
        {"aud": "https://tonghu.example/apis"},
        {"iss": "http://127.0.0.1:8001"},
        {"sub": "staff:x"},
        {"sub": f"admin:{new_id()}"},
        {"sub": f"staff:{new_id()}\n"},
        {"sub": "staff:------------------------------------"},
        {"client_id": "x"},
        {"grant": str(new_id())},
        {"agency": str(new_id())},
        {"sid": str(new_id())},
        {"role": "operator"},
        {"role": "nobody"},
    ],
)
async def test_wrong_claims(client, forge, changed) -> None:
    assert await answered(client, forge(**changed)) == 401


@pytest.mark.parametrize(
    "header",
    [
        {"typ": ...},
        {"typ": "JWT"},
        {"typ": 7},
        {"typ": ["at+jwt"]},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"alg": ...},
        {"alg": None},
        {"alg": ["ES256"]},
        {"kid": ...},
        {"kid": "unknown"},
        {"kid": None},
        {"kid": ["a"]},
        {"kid": {}},
        {"kid": "../../etc/passwd"},
        {"crit": ["exp"]},
        {"crit": []},
        {"jku": "https://evil.example"},
        {"x5u": "https://evil.example"},
        {"x5c": ["AA=="]},
        {"jwk": {"kty": "EC"}},
        {"zip": "DEF"},
        {"b64": False},
        {"cty": "JWT"},
    ],
)
async def test_wrong_headers(client, forge, header) -> None:
    assert await answered(client, forge(header)) == 401


@pytest.mark.parametrize(
    "value",
    ["null", "[]", "{}", "1e999", "-1e999", "NaN", "Infinity", "1" * 5000, "[" * 900, '"\\ud800"'],
)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
async def test_numbers_no_library_would_write(client, forge, keyring, caller, name, value) -> None:
    # F2: TypeError, OverflowError, ValueError and RecursionError inside the JWT library.
    kid, pem = next(iter(keyring.signing.items()))
    claims = {**jwt.get_unverified_claims(caller.token), name: 0}
    payload = json.dumps(claims).replace(f'"{name}": 0', f'"{name}": {value}')
    header = _json({"alg": "ES256", "typ": "at+jwt", "kid": kid})
    assert await answered(client, signed(pem, header, payload)) == 401


async def test_claims_given_twice(client, keyring, caller) -> None:
    kid, pem = next(iter(keyring.signing.items()))
    header = _json({"alg": "ES256", "typ": "at+jwt", "kid": kid})
    payload = _json(jwt.get_unverified_claims(caller.token))
    twice = payload[:-1] + ', "role": "village_director"}'
    assert await answered(client, signed(pem, header, twice)) == 401
    doubled = header[:-1] + ', "alg": "ES256"}'
    assert await answered(client, signed(pem, doubled, payload)) == 401


async def test_bombs_and_nonsense(client, caller) -> None:
    head, payload, signature = caller.token.split(".")
    for token in (
        "[" * 1000,
        f"{b64('[' * 1000)}.{payload}.{signature}",
        f"{b64('{' * 700)}.{payload}.{signature}",
        f"{b64('[]')}.{payload}.{signature}",
        f"{b64('null')}.{payload}.{signature}",
        f"{b64(bytes([255]) * 20)}.{payload}.{signature}",
        f"{head}.{b64('[' * 2000)}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.{signature}.AA",
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}.{signature} ",
        f"{head}.{payload}.{b64(bytes(64))}",
        f"{head}.{payload}.{b64(bytes(63))}",
        f"{head}.{payload}.{'A' * 4096}",
        "..",
        "a.b.c",
        "é.é.é",
        "A" * 9000,
    ):
        answer = await client.get(
            "/v1/me", headers={"authorization": f"Bearer {token}".encode("latin-1")}
        )
        assert answer.status_code == 401, token[:60]
        assert "www-authenticate" in answer.headers


async def test_another_key_and_key_confusion(client, caller, keyring, app) -> None:
    stranger, _ = a_key()
    kid = next(iter(keyring.signing))
    claims = jwt.get_unverified_claims(caller.token)
    public, _ = (await client.get("/.well-known/jwks.json")).json()["keys"]
    headers = {"kid": kid, "typ": "at+jwt"}
    for token in (
        jwt.encode(claims, stranger, algorithm="ES256", headers=headers),
        jwt.encode(claims, json.dumps(public), algorithm="HS256", headers=headers),
        f"{b64(_json({'alg': 'none', **headers}))}.{b64(_json(claims))}.",
    ):
        answer = await client.get("/v1/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic eA==", "bearer  x", "Token a.b.c", "Bearer a b"]
)
async def test_other_schemes(client, header) -> None:
    answer = await client.get("/v1/me", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    database, settings, caller, forge, now, monkeypatch
) -> None:
    monkeypatch.setattr(tokens, "_CACHE_SIZE", 1)
    told = settings.tokens
    keys = tokens.token_keys(database.keyring.signing, issuer=told.issuer, audience=told.audience)
    first = tokens.verify(keys, caller.token, now=now)
    assert tokens.verify(keys, caller.token, now=now) is first
    tokens.verify(keys, forge(), now=now)
    assert tokens.verify(keys, caller.token, now=now) is not first


async def test_a_token_once_verified_still_expires(client, database, caller, now) -> None:
    assert await answered(client, caller.token) == 200
    database.clock = lambda: now.replace(hour=now.hour + 1)
    assert await answered(client, caller.token) == 401
