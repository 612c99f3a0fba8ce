"""A phone as a factor: the key it keeps for one person, enrolled by a code from the township.

The PIN never leaves the phone: it opens the store of its person there, with the key beside it, for
as long as the lease says. What we know of the phone is its key; what we give it is the lease, with
each token, and no more once it is revoked. Who signs in on it gives the password and the key.

The key proves itself by a statement of the form of a client assertion (RFC 7523): issuer and
subject are its thumbprint (RFC 7638), the audience is the issuer of tokens.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.access import assertions, rules, second_factor
from app.access.models import Device
from app.access.oauth import Refused
from app.core.data.db import Tx
from app.core.data.sql import insert

_LONGEST_NAME: Final = 60


class IssuedCode(NamedTuple):
    """A code to enrol a phone, known to whoever hears it now."""

    code: str
    expires_at: datetime


_CODE: Final = """
INSERT INTO device_codes (staff_id, code_hash, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (staff_id) DO UPDATE SET code_hash = $2, expires_at = $3
"""


async def give_code(tx: Tx, staff_id: UUID) -> IssuedCode:
    """Give out a code; it takes the place of the one before."""
    code, expires_at = second_factor.invitation_code(), tx.now + rules.INVITATION_LIVES
    await tx.connection.execute(_CODE, staff_id, _hashed(code), expires_at)
    return IssuedCode(code, expires_at)


def _hashed(code: str) -> bytes:
    return hashlib.sha256(second_factor.written(code).encode()).digest()


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the thumbprint of a P-256 key (RFC 7638)."""
    named = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(orjson.dumps(named)).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


_SPENT: Final = """
DELETE FROM device_codes c USING staff_accounts a
WHERE c.code_hash = $1 AND c.expires_at > $2 AND a.staff_id = c.staff_id AND a.active
RETURNING c.staff_id
"""


async def enrol(tx: Tx, form: Mapping[str, str], *, issuer: str) -> Device:
    """Enrol a phone's key for the person whose code it is: once, and for one person alone. Needs
    the reach of sign-in. Raises Refused.
    """
    name = form.get("name", "").strip()
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Refused("invalid_request", "name says in 1 to 60 characters which phone it is.")
    try:
        given = orjson.loads(form.get("jwk", ""))
        jwk = assertions.public_keys({"keys": [{**given, "kid": "device"}]})["keys"][0]
        print_ = thumbprint(jwk)
    except (orjson.JSONDecodeError, TypeError, KeyError, assertions.KeyRefused):
        raise Refused("invalid_request", "jwk is a public key of P-256.") from None
    device = Device(
        staff_id=await _spend(tx, form.get("code", "")),
        thumbprint=print_,
        jwk=jwk,
        name=name,
        enrolled_at=tx.now,
        seen_at=tx.now,
        lease_until=tx.now + rules.LEASE,
    )
    await _prove(tx, form, {"id": device.id, "jwk": jwk, "thumbprint": print_}, issuer)
    if await tx.connection.fetchval("SELECT true FROM devices WHERE thumbprint = $1", print_):
        raise Refused("invalid_request", "This key is enrolled; make one for each person.")
    return await tx.add(device)


async def _spend(tx: Tx, code: str) -> UUID:
    staff_id: UUID | None = await tx.connection.fetchval(_SPENT, _hashed(code), tx.now)
    if staff_id is None:
        raise Refused("invalid_grant", "The code is wrong, used or too old.", reason="device_code")
    return staff_id


async def _prove(tx: Tx, form: Mapping[str, str], device: Mapping[str, Any], issuer: str) -> None:
    try:
        proof = assertions.verify(
            form.get("device_assertion", ""),
            {"keys": [device["jwk"]]},
            client_id=device["thumbprint"],
            issuer=issuer,
            now=tx.now,
        )
    except assertions.AssertionRefused as refused:
        raise _unproven(refused.reason) from None
    use = {"client_id": device["id"], "token_id": proof.token_id, "expires_at": proof.expires_at}
    if not await insert(tx.connection, "used_assertions", use, unless_taken=True):
        raise _unproven("replayed")


def _unproven(reason: str) -> Refused:
    said = "device_assertion does not prove an enrolled device of this person."
    return Refused("invalid_grant", said, reason=f"device: {reason}")


_SIGN_IN: Final = "SELECT staff_id, device_id, asks_device FROM sign_ins WHERE id = $1"
_ENROLLED: Final = """
SELECT id, thumbprint, jwk FROM devices
WHERE staff_id = $1 AND thumbprint = $2 AND revoked_at IS NULL
"""
_SEEN: Final = "UPDATE devices SET seen_at = $2, lease_until = $3 WHERE id = $1"
Lease = dict[str, Any]
"""What the answer with tokens says more on an enrolled phone: until when its store opens."""


async def bind(tx: Tx, form: Mapping[str, str], sign_in_id: UUID, *, issuer: str) -> Lease:
    """Bind a sign-in to the phone that proves itself, if one does: that is a second factor. Raises
    Refused if none does and one is asked for.
    """
    sign_in = await tx.connection.fetchrow(_SIGN_IN, sign_in_id)
    if "device_assertion" not in form:
        if sign_in["asks_device"]:
            raise _unproven("missing")
        return {}
    device_id = await _recognised(tx, form, sign_in["staff_id"], issuer)
    await tx.connection.execute(
        "UPDATE sign_ins SET device_id = $2, factors = array_append(factors, 'hwk') WHERE id = $1",
        sign_in_id,
        device_id,
    )
    return await _leased(tx, device_id)


async def renew(tx: Tx, form: Mapping[str, str], sign_in_id: UUID, *, issuer: str) -> Lease:
    """Ask for the phone's key again, of a sign-in that is bound to it: a refresh token that was
    copied is worth nothing elsewhere. Raises Refused.
    """
    sign_in = await tx.connection.fetchrow(_SIGN_IN, sign_in_id)
    if sign_in["device_id"] is None:
        return {}
    device_id = await _recognised(tx, form, sign_in["staff_id"], issuer)
    if device_id != sign_in["device_id"]:
        raise _unproven("another")
    return await _leased(tx, device_id)


async def _recognised(tx: Tx, form: Mapping[str, str], staff_id: UUID, issuer: str) -> UUID:
    claimed = assertions.claimed_client(form.get("device_assertion", "")) or ""
    device = await tx.connection.fetchrow(_ENROLLED, staff_id, claimed)
    if device is None:
        raise _unproven("unknown")
    await _prove(tx, form, device, issuer)
    device_id: UUID = device["id"]
    return device_id


async def _leased(tx: Tx, device_id: UUID) -> Lease:
    until = tx.now + rules.LEASE
    await tx.connection.execute(_SEEN, device_id, tx.now, until)
    return {"lease_until": int(until.timestamp())}


async def enrolled(tx: Tx, staff_id: UUID) -> bool:
    """Tell whether a person has a phone that counts."""
    found: bool = await tx.connection.fetchval(
        "SELECT EXISTS (SELECT FROM devices WHERE staff_id = $1 AND revoked_at IS NULL)", staff_id
    )
    return found


_ENDED: Final = """
WITH lost AS (
    UPDATE devices SET revoked_at = $2
    WHERE staff_id = $1 AND revoked_at IS NULL AND ($3::uuid IS NULL OR id = $3) RETURNING id
)
UPDATE sign_ins s SET revoked_at = $2 FROM lost
WHERE s.staff_id = $1 AND s.device_id = lost.id AND s.revoked_at IS NULL
"""


async def revoke(tx: Tx, staff_id: UUID, device_id: UUID | None = None) -> None:
    """Revoke a person's phone, or all of them, with whatever is open on it: it was lost."""
    await tx.connection.execute(_ENDED, staff_id, tx.now, device_id)
