"""A phone as a factor: the key it keeps for one person, enrolled by a code from the township.

The PIN never leaves the phone: it opens the store of its person there, with the key beside it, for
as long as the lease says. What we know of the phone is its key; what we give it is the lease, with
each token, and no more once it is revoked. Who signs in on it gives the password and the key.

It is the key its tokens are bound to (DPoP, RFC 9449): one for each person who uses the phone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.access import rules, second_factor
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


_HELD: Final = """
SELECT c.staff_id FROM device_codes c JOIN staff_accounts a ON a.staff_id = c.staff_id AND a.active
JOIN staff s ON s.id = a.staff_id AND s.active
WHERE c.code_hash = $1 AND c.expires_at > $2 FOR UPDATE OF c
"""


async def enrol(tx: Tx, form: Mapping[str, str], key: str | None) -> Device:
    """Enrol the `key` that proved this request, for the person whose code it is: once, and for one
    person alone. Needs the reach of sign-in. Raises Refused.
    """
    name = form.get("name", "").strip()
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Refused("invalid_request", "name says in 1 to 60 characters which phone it is.")
    if key is None:
        said = "Send a DPoP proof: its key is the one that is enrolled."
        raise Refused("invalid_dpop_proof", said)
    if await tx.connection.fetchval("SELECT true FROM devices WHERE thumbprint = $1", key):
        raise _enrolled()
    hashed = _hashed(form.get("code", ""))
    staff_id: UUID | None = await tx.connection.fetchval(_HELD, hashed, tx.now)
    if staff_id is None:
        raise Refused("invalid_grant", "The code is wrong, used or too old.", reason="device_code")
    device = Device(
        staff_id=staff_id,
        thumbprint=key,
        name=name,
        enrolled_at=tx.now,
        seen_at=tx.now,
        lease_until=tx.now + rules.LEASE,
    )
    if not await insert(tx.connection, "devices", device.model_dump(), unless_taken=True):
        raise _enrolled()  # at this moment, for somebody else; this code stays good
    await tx.connection.execute("DELETE FROM device_codes WHERE code_hash = $1", hashed)
    return device


def _enrolled() -> Refused:
    return Refused("invalid_request", "This key is enrolled; make one for each person.")


_SIGN_IN: Final = "SELECT staff_id, device_id, asks_device FROM sign_ins WHERE id = $1"
_SEEN: Final = "UPDATE devices SET seen_at = $2, lease_until = $3 WHERE id = $1"
Lease = dict[str, Any]
"""What the answer with tokens says more on an enrolled phone: until when its store opens."""


async def bind(tx: Tx, key: str | None, sign_in_id: UUID) -> Lease:
    """Bind a sign-in to the phone whose `key` proved the request, if it is one: that is a second
    factor. Raises Refused if none is and one is asked for, or if it is another person's or lost.
    """
    sign_in = await tx.connection.fetchrow(_SIGN_IN, sign_in_id)
    device = await tx.connection.fetchrow("SELECT * FROM devices WHERE thumbprint = $1", key)
    if device is None:
        if sign_in["asks_device"]:
            raise _unproven("missing")
        return {}
    if device["staff_id"] != sign_in["staff_id"]:
        raise _unproven("of_another")
    if device["revoked_at"] is not None:
        raise _unproven("revoked")
    await tx.connection.execute(
        "UPDATE sign_ins SET device_id = $2, factors = array_append(factors, 'hwk') WHERE id = $1",
        sign_in_id,
        device["id"],
    )
    return await _leased(tx, device["id"])


async def renew(tx: Tx, key: str | None, sign_in_id: UUID) -> Lease:
    """Ask for the phone's key again, of a sign-in that is bound to it: a refresh token that was
    copied is worth nothing elsewhere, whichever app has it. Raises Refused.
    """
    device = await tx.connection.fetchrow(
        "SELECT d.id, d.thumbprint FROM sign_ins s JOIN devices d ON d.id = s.device_id"
        " WHERE s.id = $1",
        sign_in_id,
    )
    if device is None:
        return {}
    if device["thumbprint"] != key:
        raise _unproven("another")
    return await _leased(tx, device["id"])


def _unproven(reason: str) -> Refused:
    said = "The key of the DPoP proof is not that of an enrolled phone of this person."
    return Refused("invalid_grant", said, reason=f"device: {reason}")


async def _leased(tx: Tx, device_id: UUID) -> Lease:
    until = tx.now + rules.LEASE
    await tx.connection.execute(_SEEN, device_id, tx.now, until)
    return {"lease_until": int(until.timestamp())}


async def counting(tx: Tx, staff_id: UUID) -> Sequence[Any]:
    """List the phones of a person that count."""
    rows: Sequence[Any] = await tx.connection.fetch(
        "SELECT id, name, seen_at FROM devices WHERE staff_id = $1 AND revoked_at IS NULL"
        " ORDER BY enrolled_at, id",
        staff_id,
    )
    return rows


# OFFSET: looked up for each sign-in; else the planner may read the tokens of everybody.
_ENDED: Final = """
WITH lost AS (
    UPDATE devices SET revoked_at = $2
    WHERE staff_id = $1 AND revoked_at IS NULL AND ($3::uuid IS NULL OR id = $3)
    RETURNING id, thumbprint
)
UPDATE sign_ins s SET revoked_at = $2 FROM lost
WHERE s.staff_id = $1 AND s.revoked_at IS NULL AND s.ends_at > $2
  AND (s.device_id = lost.id OR EXISTS (
    SELECT FROM refresh_tokens r WHERE r.sign_in_id = s.id AND r.key_thumbprint = lost.thumbprint
    OFFSET 0))
"""


async def revoke(tx: Tx, staff_id: UUID, device_id: UUID | None = None) -> None:
    """Revoke a person's phone, or all of them, with whatever is open on it, from before it was
    enrolled too: it was lost.
    """
    await tx.connection.execute(_ENDED, staff_id, tx.now, device_id)
