"""What an app asks for, told by itself before it sends the person's browser (PAR, RFC 9126): nobody
on the way reads or changes it, and a confidential app has proved who it is by then.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from app.access import queries
from app.access.grants import TokenRequest, hashed, opaque
from app.access.models import PushedRequest
from app.access.oauth import Refused
from app.access.sign_in import PARAMETERS, RequestUntrusted, check, key_asked_for
from app.core.data.db import Tx

_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
_OPENS_FOR: Final = timedelta(minutes=5)
"""How long the browser may take to bring it; for the password there is more time."""


async def push(tx: Tx, wanted: TokenRequest) -> dict[str, Any]:
    """Keep what an app asks for, if it may; return by what its browser names it. Raises Refused."""
    client, form = wanted.client, wanted.form
    if client.kind != "app":
        raise Refused("unauthorized_client", "This client signs nobody in.")
    if "request_uri" in form:
        raise Refused("invalid_request", "What is pushed names no request_uri.")
    if form.get("redirect_uri", "") not in client.redirect_uris:
        raise Refused("invalid_request", "redirect_uri is none of those that are registered.")
    check(form)
    key = key_asked_for(form)
    if wanted.key is not None and key not in {None, wanted.key}:
        raise Refused("invalid_dpop_proof", "dpop_jkt must be the thumbprint of the proof's key.")
    asked = {name: value for name, value in form.items() if name in PARAMETERS}
    asked["client_id"] = str(client.id)
    if wanted.key is not None:
        asked["dpop_jkt"] = wanted.key
    reference = _PREFIX + opaque()
    await tx.add(
        PushedRequest(
            reference_hash=hashed(reference),
            client_id=client.id,
            asked=asked,
            expires_at=tx.now + _OPENS_FOR,
        )
    )
    return {"request_uri": reference, "expires_in": int(_OPENS_FOR.total_seconds())}


async def opened(tx: Tx, asked: Mapping[str, str]) -> dict[str, str]:
    """Return what a browser asks for: as pushed, if it names that, and then nothing beside it.
    Raises RequestUntrusted for what was not pushed by this client, or was used, or is too old.
    """
    reference = asked.get("request_uri")
    if reference is None:
        return dict(asked)
    client = await queries.usable_client(tx, asked.get("client_id"))
    pushed: dict[str, str] | None = await tx.connection.fetchval(
        "SELECT asked FROM pushed_requests"
        " WHERE reference_hash = $1 AND client_id = $2 AND expires_at > $3",
        hashed(reference),
        client.id if client else None,
        tx.now,
    )
    if pushed is None:
        raise RequestUntrusted
    return {**pushed, "request_uri": reference}
