"""Access tokens: ES256 JWTs after RFC 9068, behind one strict verifier (F2, TOK-1…TOK-3)."""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from jose import jwk, jwt
from jose.backends.base import Key

from app.core.data.crypto import public_of
from app.core.ids import new_id

ALGORITHM = "ES256"
EXPIRED = "expired"
"""Of a token that was ours, and is not any more, or not yet."""
_MAX_BYTES = 4096
_LONGEST_SECONDS = 600
_SKEW_SECONDS = 30
_CACHE_SIZE = 10_000
FORBIDDEN = frozenset({"crit", "jku", "x5u", "x5c", "jwk", "zip", "b64", "cty"})
_STRINGS = ("iss", "sub", "client_id", "jti", "scope", "role", "agency", "sid")


class TokenRefused(Exception):
    """The token is not one of ours, or not any more. `reason` is for the log, never the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says. A ceiling: authority is read from the database.

    `grant_id`: the post holding (staff) or the client (machine) the authority comes from.
    `session_id`: the sign-in it belongs to, to revoke it by. `key`: the thumbprint of the key it is
    bound to (RFC 9449 §6.1); None: whoever has it may use it.
    """

    subject: str
    grant_id: UUID
    client_id: str
    agency_id: UUID
    role: str
    scopes: frozenset[str]
    token_id: UUID
    session_id: UUID
    issued_at: int
    expires_at: int
    key: str | None = None


@dataclass(slots=True)
class TokenKeys:
    """The signing keys of this service: the first that is private signs, all public verify."""

    issuer: str
    audience: str
    private: Mapping[str, Key] = field(repr=False)
    public: Mapping[str, Key] = field(repr=False)
    jwks: dict[str, Any]
    _verified: OrderedDict[str, Claims] = field(default_factory=OrderedDict, repr=False)

    @property
    def signing_kid(self) -> str:
        return next(iter(self.private))

    def renew(self, signing: Mapping[str, str], coming: Mapping[str, str]) -> None:
        """Take other keys in the place of these; what was verified by those is verified anew.
        Raises ValueError for what is no key.
        """
        other = token_keys(signing, coming, issuer=self.issuer, audience=self.audience)
        self._take(other)

    def verify_only(self, verifying: Mapping[str, Mapping[str, str]]) -> None:
        """Sign nothing, and verify by these public keys (kid → JWK)."""
        self._take(_token_keys({}, verifying, self.issuer, self.audience))

    def _take(self, other: "TokenKeys") -> None:
        self.private, self.public, self.jwks = other.private, other.public, other.jwks
        self._verified.clear()


def token_keys(
    signing: Mapping[str, str],
    coming: Mapping[str, str] | None = None,
    *,
    issuer: str,
    audience: str,
) -> TokenKeys:
    """Build the keys from kid → PEM private key (P-256): the first signs, those `coming` verify."""
    private = {**signing, **(coming or {})}
    public = {kid: public_of(pem) for kid, pem in private.items()}
    return _token_keys(private, public, issuer, audience)


def _token_keys(
    private: Mapping[str, str], public: Mapping[str, Mapping[str, str]], issuer: str, audience: str
) -> TokenKeys:
    described = {kid: {**key, "alg": ALGORITHM} for kid, key in public.items()}
    return TokenKeys(
        issuer,
        audience,
        {kid: jwk.construct(pem, ALGORITHM) for kid, pem in private.items()},
        {kid: jwk.construct(key, ALGORITHM) for kid, key in described.items()},
        {"keys": [{**key, "kid": kid, "use": "sig"} for kid, key in described.items()]},
    )


def issue(
    keys: TokenKeys,
    *,
    subject: str,
    grant_id: UUID,
    client_id: str,
    agency_id: UUID,
    role: str,
    region_code: int,
    scopes: frozenset[str],
    session_id: UUID,
    now: datetime,
    seconds: int,
    key: str | None = None,
    authentication: Mapping[str, Any] | None = None,
) -> str:
    """Sign an access token that lives `seconds` (≤ 600, which `verify` asks for) from `now`, bound
    to the `key` of a thumbprint if one is given. `authentication`: how a person proved who they are
    (RFC 9470 §6.1), for whoever reads tokens; here the database says it.
    """
    issued = int(now.timestamp())
    claims = {
        "iss": keys.issuer,
        "aud": keys.audience,
        "sub": subject,
        "client_id": client_id,
        "iat": issued,
        "exp": issued + seconds,
        "jti": str(new_id()),
        "scope": " ".join(sorted(scopes)),
        "agency": str(agency_id),
        "role": role,
        "region": f"{region_code:012d}",
        "grant": str(grant_id),
        "sid": str(session_id),
        **({} if key is None else {"cnf": {"jkt": key}}),
        **(authentication or {}),
    }
    kid = keys.signing_kid
    token: str = jwt.encode(
        claims, keys.private[kid], algorithm=ALGORITHM, headers={"typ": "at+jwt", "kid": kid}
    )
    return token


def verify(keys: TokenKeys, token: str, *, now: datetime) -> Claims:
    """Verify an access token and return its claims, or raise TokenRefused; never anything else.

    The signature of a token is checked once per process; whether it was revoked and what
    its holder may do is read from the database on every request (TOK-4).
    """
    instant = int(now.timestamp())
    known = keys._verified.get(token)  # noqa: SLF001  the cache belongs to this module
    if known is not None and instant < known.expires_at:
        return known
    try:
        claims = _verify(keys, token, instant)
    except TokenRefused:
        raise
    except Exception as error:  # noqa: BLE001  python-jose raises far more than JOSEError (F2)
        raise TokenRefused(type(error).__name__) from None
    keys._verified[token] = claims  # noqa: SLF001
    if len(keys._verified) > _CACHE_SIZE:  # noqa: SLF001
        keys._verified.popitem(last=False)  # noqa: SLF001
    return claims


def _verify(keys: TokenKeys, token: str, instant: int) -> Claims:
    header = header_of(token)
    if str(header.get("typ", "")).lower() not in {"at+jwt", "application/at+jwt"}:
        raise TokenRefused("typ")
    if header.keys() & FORBIDDEN or header.get("alg") != ALGORITHM:
        raise TokenRefused("header")
    kid = header.get("kid")
    key = keys.public.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise TokenRefused("kid")
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=keys.audience,
        issuer=keys.issuer,
        options={
            **{f"require_{name}": True for name in ("aud", "iss", "sub", "jti")},
            # Checked below, strictly and by the clock of the transaction; requiring them here
            # would switch jose's own checks by the machine's clock back on.
            **{f"verify_{name}": False for name in ("exp", "iat", "nbf")},
        },
    )
    part(token.split(".")[1])  # refuses duplicate claims, which jose accepts
    return _checked(claims, keys, instant)


def _checked(claims: dict[str, Any], keys: TokenKeys, instant: int) -> Claims:
    times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
    if any(type(value) is not int for value in times):
        raise TokenRefused("times")
    expires, issued, not_before = times
    if not (
        expires > instant
        and issued <= instant + _SKEW_SECONDS
        and not_before <= instant + _SKEW_SECONDS
        and 0 < expires - issued <= _LONGEST_SECONDS
    ):
        raise TokenRefused(EXPIRED)
    if any(not isinstance(claims.get(name), str) for name in _STRINGS):
        raise TokenRefused("claims")
    if claims["iss"] != keys.issuer or claims["aud"] != keys.audience:
        raise TokenRefused("audience")
    if not re.fullmatch(r"(staff|client):[0-9a-f-]{36}", claims["sub"]):
        raise TokenRefused("sub")
    UUID(claims["sub"].partition(":")[2])
    key = claims["cnf"]["jkt"] if "cnf" in claims else None
    if "cnf" in claims and not isinstance(key, str):
        raise TokenRefused("cnf")
    return Claims(
        subject=claims["sub"],
        grant_id=UUID(claims["grant"]),
        client_id=str(UUID(claims["client_id"])),
        agency_id=UUID(claims["agency"]),
        role=claims["role"],
        scopes=frozenset(claims["scope"].split()),
        token_id=UUID(claims["jti"]),
        session_id=UUID(claims["sid"]),
        issued_at=issued,
        expires_at=expires,
        key=key,
    )


def header_of(token: str) -> dict[str, Any]:
    """Read the header of a compact JWS. Raises for anything that does not look like one."""
    if len(token) > _MAX_BYTES or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", token):
        raise TokenRefused("shape")
    return part(token.split(".", maxsplit=1)[0])


def part(encoded: str) -> dict[str, Any]:
    """Read one base64url part as a JSON object without duplicate names."""
    raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    value = json.loads(raw, object_pairs_hook=_unique)
    if not isinstance(value, dict):
        raise TokenRefused("shape")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenRefused("duplicate")
    return found
