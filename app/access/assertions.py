"""private_key_jwt: a machine client proves itself with its registered key (RFC 7523, TOK-5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk, jws
from jose.utils import base64url_decode

from app.access import tokens

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "PS256", "RS256")
IN_PRODUCTION = ("ES256", "PS256")
"""What FAPI 2.0 leaves (§5.4.1)."""
_COUNTS_SECONDS = 300
_LONGEST_SECONDS = 3600
_SKEW_SECONDS = 60
KEYS_TYPE = "client-keys+jwt"
"""The `typ` of a statement by which a client replaces its keys."""
_TYPES = frozenset({"jwt", "client-authentication+jwt", "application/client-authentication+jwt"})
_MEMBERS = {"EC": ("crv", "x", "y"), "RSA": ("n", "e")}
_SIGNS = {"EC": ("ES256",), "RSA": ("PS256", "RS256")}
_SHORTEST_RSA_BITS = 2048
_MOST_KEYS = 10
_LONGEST_TEXT = 200
_PSS = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)


class AssertionRefused(Exception):
    """The assertion proves nothing. `reason` is for the audit; `mend` for who has the key, which
    the signature proved: what to change.
    """

    def __init__(self, reason: str, mend: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


class KeyRefused(ValueError):
    """The key set holds no usable public keys. The text says which rule was broken."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A proof that was verified; `token_id` may be used once until `expires_at`."""

    token_id: str
    expires_at: datetime


def public_keys(
    jwks: Mapping[str, Any], *, algorithms: Sequence[str] = ALGORITHMS
) -> dict[str, Any]:
    """Check a JWK set for registration and return it with nothing but what is needed.

    Each key is public, has its own `kid`, and is P-256 (ES256) or RSA of 2048 bits or more (PS256,
    or RS256 if its `alg` says so and that is one of the `algorithms`). Raises KeyRefused.
    """
    given = jwks.get("keys")
    if not isinstance(given, Sequence) or not 1 <= len(given) <= _MOST_KEYS:
        raise KeyRefused("Give 1 to 10 keys.")
    kept = [_public_key(key, algorithms) for key in given]
    if len({key["kid"] for key in kept}) != len(kept):
        raise KeyRefused("Each key needs its own kid.")
    return {"keys": kept}


def _public_key(key: Any, algorithms: Sequence[str]) -> dict[str, str]:
    if not isinstance(key, Mapping) or key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}:
        raise KeyRefused("Send public keys only; a private key that was sent is burnt.")
    kid, kind = key.get("kid"), key.get("kty")
    if not isinstance(kid, str) or not 1 <= len(kid) <= _LONGEST_TEXT:
        raise KeyRefused("Each key needs a kid of 1 to 200 characters.")
    if kind not in _MEMBERS or (kind == "EC" and key.get("crv") != "P-256"):
        raise KeyRefused("Keys are EC P-256 or RSA.")
    algorithm = key.get("alg", _SIGNS[kind][0])
    if algorithm not in _SIGNS[kind] or key.get("use", "sig") != "sig":
        raise KeyRefused("P-256 keys sign ES256, RSA keys PS256 or RS256.")
    if algorithm not in algorithms:
        raise KeyRefused(f"Keys sign {' or '.join(algorithms)} here.")
    kept = {name: key.get(name) for name in _MEMBERS[kind]}
    described = {"kty": kind, "kid": kid, "alg": algorithm, "use": "sig", **kept}
    try:
        prepared: Any = jwk.construct(described, _construed(algorithm))
    except Exception:  # noqa: BLE001  the library raises whatever a malformed number causes
        raise KeyRefused("A key cannot be read.") from None
    if kind == "RSA" and prepared.prepared_key.key_size < _SHORTEST_RSA_BITS:
        raise KeyRefused("RSA keys have 2048 bits or more.")
    return described


def claimed_client(assertion: str) -> str | None:
    """Read who the assertion says it is from, unverified: only to look the client up."""
    try:
        subject = tokens.part(assertion.split(".")[1]).get("sub")
    except Exception:  # noqa: BLE001  anything may be in there (F2)
        return None
    return subject if isinstance(subject, str) else None


def _construed(algorithm: str) -> str:
    """By what the library reads a key that signs so: it knows no PS256, and the key is the same."""
    return "RS256" if algorithm == "PS256" else algorithm


def verify(
    assertion: str,
    jwks: Mapping[str, Any] | None,
    *,
    client_id: str,
    issuer: str,
    now: datetime,
    algorithms: Sequence[str] = ALGORITHMS,
) -> Assertion:
    """Verify a client assertion or raise AssertionRefused; never anything else. Without keys (an
    unknown client) the same work is done and refused (TOK-10).
    """
    try:
        claims = _signed(assertion, jwks, algorithms, _TYPES)
        return _checked(claims, client_id, issuer, int(now.timestamp()))
    except AssertionRefused:
        raise
    except Exception as error:  # noqa: BLE001  python-jose raises far more than JOSEError (F2)
        raise AssertionRefused(type(error).__name__) from None


def verify_statement(
    statement: str,
    jwks: Mapping[str, Any],
    *,
    replaced_by: Mapping[str, Any],
    client_id: str,
    issuer: str,
    now: datetime,
) -> Assertion:
    """Verify that whoever has one of the keys of now (`jwks`) wants those of `replaced_by` in their
    place: a JWT like an assertion, with its own `typ` and the new set in `jwks`. Raises
    AssertionRefused; never anything else.
    """
    try:
        claims = _signed(statement, jwks, ALGORITHMS, frozenset({KEYS_TYPE}))
        return _replacing(claims, replaced_by, client_id, issuer, int(now.timestamp()))
    except AssertionRefused:
        raise
    except Exception as error:  # noqa: BLE001  anything may be in there (F2)
        raise AssertionRefused(type(error).__name__) from None


def _replacing(
    claims: dict[str, Any], kept: Mapping[str, Any], client_id: str, issuer: str, instant: int
) -> Assertion:
    if public_keys(claims["jwks"]) != kept:
        raise AssertionRefused("jwks", "jwks must be the key set that is sent.")
    return _checked(claims, client_id, issuer, instant)


def _signed(
    assertion: str,
    jwks: Mapping[str, Any] | None,
    algorithms: Sequence[str],
    types: frozenset[str],
) -> dict[str, Any]:
    header = tokens.header_of(assertion)
    if header.keys() & tokens.FORBIDDEN or str(header.get("typ", "JWT")).lower() not in types:
        raise AssertionRefused("header")
    key = _chosen(jwks, header) if jwks is not None else _nobodys()
    algorithm = key["alg"]
    if jwks is not None and (header.get("alg") != algorithm or algorithm not in algorithms):
        raise AssertionRefused("alg")
    prepared: Any = jwk.construct(key, _construed(algorithm))
    if algorithm == "PS256":
        signing, _, signature = assertion.rpartition(".")
        prepared.prepared_key.verify(
            base64url_decode(signature.encode()), signing.encode(), _PSS, SHA256()
        )
    else:
        jws.verify(assertion, prepared, algorithms=[algorithm])
    return tokens.part(assertion.split(".")[1])


def _chosen(jwks: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, str]:
    keys: list[dict[str, str]] = jwks["keys"]
    if "kid" not in header and len(keys) == 1:
        return keys[0]
    for key in keys:
        if key["kid"] == header.get("kid"):
            return key
    raise AssertionRefused("kid")


def _checked(claims: dict[str, Any], client_id: str, issuer: str, instant: int) -> Assertion:
    times = [claims.get("exp"), claims.get("iat", instant), claims.get("nbf", instant)]
    if any(type(value) is not int for value in times):
        raise AssertionRefused("times", "exp, and iat and nbf if given, are whole seconds.")
    expires, issued, not_before = times
    ahead = max(issued, not_before) - instant
    if ahead > _SKEW_SECONDS:
        raise AssertionRefused("iat", f"It is dated {ahead} s ahead of our clock: set yours.")
    until = min(expires, issued + _COUNTS_SECONDS)
    if until <= instant:
        said = f"It counted until {instant - until} s ago by our clock: sign each anew, set yours."
        raise AssertionRefused("exp", said)
    if expires - issued > (_LONGEST_SECONDS if "iat" in claims else _COUNTS_SECONDS):
        raise AssertionRefused("exp", "exp is too far: a minute from now will do.")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefused("iss", "iss and sub must both be the client_id.")
    if claims.get("aud") != issuer:
        raise AssertionRefused("aud", f"aud must be our issuer, as one string: {issuer}")
    token_id = claims.get("jti")
    if (
        not isinstance(token_id, str)
        or not 1 <= len(token_id) <= _LONGEST_TEXT
        or not token_id.isprintable()
    ):
        raise AssertionRefused("jti", f"jti must be a text of 1 to {_LONGEST_TEXT} characters.")
    return Assertion(token_id, datetime.fromtimestamp(until, UTC))


@cache
def _nobodys() -> dict[str, str]:
    """Return a key that verifies nothing: its private half was never kept."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    described: dict[str, str] = jwk.construct(pem, "ES256").to_dict()
    return {**described, "alg": "ES256"}
