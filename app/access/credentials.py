"""How a client proves who it is at the token, revocation and introspection endpoints (TOK-5)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from app.access import assertions, queries
from app.access.models import Client
from app.access.oauth import Refused
from app.core.data.db import Tx
from app.core.data.sql import insert


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows to prove its client. `client_id` alone identifies, proves nothing."""

    client_id: str | None
    secret: str | None = None
    assertion: str | None = None


def secret_hash(secret: str) -> str:
    """Hash a generated client secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def presented(form: Mapping[str, str], authorization: str | None) -> Presented:
    """Read the one method a request uses. Raises Refused for none that is usable, or two."""
    basic = _basic(authorization) if authorization is not None else None
    assertion = form.get("client_assertion")
    if sum(given is not None for given in (basic, form.get("client_secret"), assertion)) > 1:
        raise Refused("invalid_request", "Use one way of client authentication.")
    if assertion is not None:
        if form.get("client_assertion_type") != assertions.TYPE:
            raise Refused("invalid_request", f"client_assertion_type must be {assertions.TYPE}.")
        named = form.get("client_id") or assertions.claimed_client(assertion)
        return Presented(named, assertion=assertion)
    if basic is not None:
        client_id, secret = basic
        if form.get("client_id", client_id) != client_id:
            raise Refused("invalid_request", "client_id contradicts the Authorization header.")
        return Presented(client_id, secret=secret)
    return Presented(form.get("client_id"), secret=form.get("client_secret"))


def _basic(authorization: str) -> tuple[str, str]:
    kind, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        raise _unproven("authorization header") from None
    client_id, colon, secret = text.partition(":")
    if kind.lower() != "basic" or not colon:
        raise _unproven("authorization header")
    return unquote_plus(client_id), unquote_plus(secret)


async def client_of(tx: Tx, shown: Presented, *, issuer: str, production: bool) -> Client:
    """Find the client and check its proof: public apps have none, all others must. Raises Refused
    `invalid_client`, the same for an unknown client and a bad key (TOK-10).
    """
    client = await queries.usable_client(tx, shown.client_id)
    if shown.assertion is not None:
        algorithms = assertions.IN_PRODUCTION if production else assertions.ALGORITHMS
        return await _by_assertion(tx, client, shown, issuer, algorithms)
    if shown.secret is not None:
        stored = client.secret_hash if client and not production else None
        same = hmac.compare_digest(stored or secret_hash(""), secret_hash(shown.secret))
        if client is None or stored is None or not same:
            raise _unproven("secret")
        return client
    if client is None or client.kind != "app" or client.is_confidential:
        raise _unproven("no proof")
    return client


async def _by_assertion(
    tx: Tx, client: Client | None, shown: Presented, issuer: str, algorithms: Sequence[str]
) -> Client:
    try:
        proof = assertions.verify(
            shown.assertion or "",
            client.jwks if client else None,
            client_id=str(client.id) if client else "",
            issuer=issuer,
            now=tx.now,
            algorithms=algorithms,
        )
    except assertions.AssertionRefused as refused:
        raise _unproven(f"assertion: {refused.reason}", refused.mend) from None
    if client is None:  # pragma: no cover  verify() refuses without keys
        raise _unproven("unknown client")
    if client.keys_until is not None and client.keys_until <= tx.now:
        said = f"Its keys ended at {client.keys_until.isoformat()}: register others."
        raise _unproven("keys ended", said)
    use = {"client_id": client.id, "token_id": proof.token_id, "expires_at": proof.expires_at}
    if not await insert(tx.connection, "used_assertions", use, unless_taken=True):
        raise _unproven("assertion: replayed", "jti was used before: sign each assertion anew.")
    return client


def _unproven(reason: str, mend: str | None = None) -> Refused:
    """`mend`: for who proved to have the key. All others are told one thing (TOK-10)."""
    told = mend or (
        "See, in this order: that client_id is one of a client that is registered and active; that"
        " the assertion's kid and alg are those of a key registered for it; that it is signed by"
        " that key."
    )
    return Refused("invalid_client", f"Client authentication failed. {told}", reason=reason)
