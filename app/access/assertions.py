"""private_key_jwt: a machine client proves itself with its registered key (RFC 7523, TOK-5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk, jws

from app.access import tokens

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "RS256")
_LONGEST_SECONDS = 300
_SKEW_SECONDS = 30
_TYPES = frozenset({"jwt", "client-authentication+jwt", "application/client-authentication+jwt"})
_MEMBERS = {"EC": ("crv", "x", "y"), "RSA": ("n", "e")}
_SHORTEST_RSA_BITS = 2048
_MOST_KEYS = 10
_LONGEST_TEXT = 200


class AssertionRefused(Exception):
    """The assertion proves nothing. `reason` is for the audit, never the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyRefused(ValueError):
    """The key set holds no usable public keys. The text says which rule was broken."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A proof that was verified; `token_id` may be used once until `expires_at`."""

    token_id: str
    expires_at: datetime


def public_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """Check a JWK set for registration and return it with nothing but what is needed.

    Each key is public, has its own `kid`, and is P-256 (ES256) or RSA of 2048 bits or more (RS256).
    Raises KeyRefused.
    """
    given = jwks.get("keys")
    if not isinstance(given, Sequence) or not 1 <= len(given) <= _MOST_KEYS:
        raise KeyRefused("Give 1 to 10 keys.")
    kept = [_public_key(key) for key in given]
    if len({key["kid"] for key in kept}) != len(kept):
        raise KeyRefused("Each key needs its own kid.")
    return {"keys": kept}


def _public_key(key: Any) -> dict[str, str]:
    if not isinstance(key, Mapping) or key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}:
        raise KeyRefused("Send public keys only; a private key that was sent is burnt.")
    kid, kind = key.get("kid"), key.get("kty")
    if not isinstance(kid, str) or not 1 <= len(kid) <= _LONGEST_TEXT:
        raise KeyRefused("Each key needs a kid of 1 to 200 characters.")
    if kind not in _MEMBERS or (kind == "EC" and key.get("crv") != "P-256"):
        raise KeyRefused("Keys are EC P-256 or RSA.")
    algorithm = "ES256" if kind == "EC" else "RS256"
    if key.get("alg", algorithm) != algorithm or key.get("use", "sig") != "sig":
        raise KeyRefused("P-256 keys sign ES256, RSA keys RS256.")
    kept = {name: key.get(name) for name in _MEMBERS[kind]}
    described = {"kty": kind, "kid": kid, "alg": algorithm, "use": "sig", **kept}
    try:
        prepared: Any = jwk.construct(described, algorithm)
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


def verify(
    assertion: str, jwks: Mapping[str, Any] | None, *, client_id: str, issuer: str, now: datetime
) -> Assertion:
    """Verify a client assertion or raise AssertionRefused; never anything else. Without keys (an
    unknown client) the same work is done and refused (TOK-10).
    """
    try:
        return _verify(assertion, jwks, client_id, issuer, int(now.timestamp()))
    except AssertionRefused:
        raise
    except Exception as error:  # noqa: BLE001  python-jose raises far more than JOSEError (F2)
        raise AssertionRefused(type(error).__name__) from None


def _verify(
    assertion: str, jwks: Mapping[str, Any] | None, client_id: str, issuer: str, instant: int
) -> Assertion:
    header = tokens.header_of(assertion)
    if header.keys() & tokens.FORBIDDEN or str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise AssertionRefused("header")
    key = _chosen(jwks, header) if jwks is not None else _nobodys()
    algorithm = key["alg"]
    if jwks is not None and header.get("alg") != algorithm:
        raise AssertionRefused("alg")
    jws.verify(assertion, jwk.construct(key, algorithm), algorithms=[algorithm])
    return _checked(tokens.part(assertion.split(".")[1]), client_id, issuer, instant)


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
        raise AssertionRefused("times")
    expires, issued, not_before = times
    if not instant < expires <= instant + _LONGEST_SECONDS:
        raise AssertionRefused("exp")
    if max(issued, not_before) > instant + _SKEW_SECONDS:
        raise AssertionRefused("iat")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefused("iss")
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise AssertionRefused("aud")
    token_id = claims.get("jti")
    if (
        not isinstance(token_id, str)
        or not 1 <= len(token_id) <= _LONGEST_TEXT
        or not token_id.isprintable()
    ):
        raise AssertionRefused("jti")
    return Assertion(token_id, datetime.fromtimestamp(expires, UTC))


@cache
def _nobodys() -> dict[str, str]:
    """Return a key that verifies nothing: its private half was never kept."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    described: dict[str, str] = jwk.construct(pem, "ES256").to_dict()
    return {**described, "alg": "ES256"}
