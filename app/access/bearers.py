"""Tokens that are bound to no key: whoever has one may use it. In production no client gets any but
by an exception with a name, a reason and an end (RFC 9700 §4.10).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from app.access.grants import TokenRequest, hashed
from app.access.models import BearerException, Client
from app.access.oauth import Refused
from app.core import areas
from app.core.data.db import Tx
from app.core.problems import Problem

LONGEST: Final = timedelta(days=90)
_SECONDS: Final = 120
"""How long such a token lives in production."""


class ExceptionTooLong(Problem, status=422):
    """An exception has an end, and that is near."""

    title = "An exception ends within 90 days, and not before it begins"
    title_zh = "例外须在90天内终止,且不得早于开始时间"


async def allow(
    tx: Tx, client: Client, *, reason: str, given_by: str, until: datetime
) -> BearerException:
    """Let a client have tokens bound to no key until then, in place of what was allowed before.
    Raises ExceptionTooLong.
    """
    if not tx.now < until <= tx.now + LONGEST:
        raise ExceptionTooLong
    # Held: of two at one moment the second finds the first's, and ends it.
    await tx.connection.execute("SELECT FROM clients WHERE id = $1 FOR NO KEY UPDATE", client.id)
    await end(tx, client, ended_by=given_by)
    return await tx.add(
        BearerException(
            client_id=client.id, reason=reason, given_by=given_by, given_at=tx.now, until=until
        )
    )


async def end(tx: Tx, client: Client, *, ended_by: str) -> None:
    """Let a client have none from now on; those it has live for two minutes at most."""
    await tx.connection.execute(
        "UPDATE bearer_exceptions SET ended_at = $2, ended_by = $3"
        " WHERE client_id = $1 AND ended_at IS NULL",
        client.id,
        tx.now,
        ended_by,
    )


async def within_bounds(tx: Tx, wanted: TokenRequest, *, production: bool) -> TokenRequest:
    """Return a request as it may be granted: with a proof as it is; without one, or for a refresh
    token that whoever has it may use, in production for a short while and not for what tells of a
    case. Raises Refused.
    """
    client = wanted.client
    if not (production or client.dpop_bound_access_tokens):
        return wanted
    if wanted.key is not None and not await _is_anybodys(tx, wanted):
        return wanted
    excepted = not client.dpop_bound_access_tokens and await tx.connection.fetchval(
        "SELECT true FROM bearer_exceptions"
        " WHERE client_id = $1 AND ended_at IS NULL AND until > $2",
        client.id,
        tx.now,
    )
    if not excepted and wanted.key is not None:
        said = "The refresh token is bound to no key: sign in again, with a proof."
        raise Refused("invalid_grant", said, reason="refresh_unbound")
    if not excepted:
        said = "This client's tokens are bound to a key: send a DPoP header with a proof of it."
        raise Refused("invalid_dpop_proof", said, reason="dpop: missing")
    short = dict.fromkeys(("staff_seconds", "machine_seconds"), _SECONDS)
    lifetimes = wanted.lifetimes.model_copy(update=short)
    withheld = frozenset(code for code, scope in areas.scopes().items() if scope.bound_only)
    return replace(wanted, lifetimes=lifetimes, withheld=withheld)


async def _is_anybodys(tx: Tx, wanted: TokenRequest) -> bool:
    """Tell whether a refresh token is shown that was given out without a proof: a key that comes
    with it now says nothing of who it was given to. An app that proves itself says that each time.
    """
    shown = wanted.form.get("refresh_token")
    if wanted.form.get("grant_type") != "refresh_token" or wanted.client.is_confidential:
        return False
    unbound: bool | None = await tx.connection.fetchval(
        "SELECT key_thumbprint IS NULL FROM refresh_tokens WHERE token_hash = $1",
        hashed(shown or ""),
    )
    return unbound is True
