"""What becomes of a person's account: invited, a password chosen, a second factor, suspended, over.

All of it needs to see accounts: the reach of SYSTEM, or of sign-in (`grants.AT_THE_DOOR`).
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.access import grants, rules, second_factor
from app.access.models import Opens
from app.core.data.db import Tx
from app.core.data.sql import insert


class Issued(NamedTuple):
    """A new invitation: its code is known to whoever hears it now, and kept as a hash alone."""

    code: str
    expires_at: datetime


_NEW_GENERATION: Final = """
UPDATE staff_accounts SET generation = generation + 1 WHERE staff_id = $1
"""
_INVITE: Final = """
INSERT INTO invitations (staff_id, code_hash, opens, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (staff_id) DO UPDATE SET code_hash = $2, opens = $3, expires_at = $4, used_at = NULL
"""


async def invite(tx: Tx, staff_id: UUID, opens: Opens) -> Issued:
    """Give out a code for what is to be set up. What was half done ends: an invitation of before, a
    sign-in between password and second factor, what browsers remember; a code to enrol a phone,
    unless nothing was set up yet.
    """
    code, expires_at = second_factor.invitation_code(), tx.now + rules.INVITATION_LIVES
    await tx.connection.execute(_NEW_GENERATION, staff_id)
    if opens != "account":
        await tx.connection.execute("DELETE FROM device_codes WHERE staff_id = $1", staff_id)
    await tx.connection.execute(_INVITE, staff_id, _hashed(code), opens, expires_at)
    return Issued(code, expires_at)


def _hashed(code: str) -> bytes:
    return grants.hashed(second_factor.written(code))


_INVITED: Final = """
SELECT i.staff_id, i.opens, i.code_hash, a.username, a.generation,
       a.totp_sealed IS NOT NULL AS has_factor
FROM invitations i JOIN staff_accounts a ON a.staff_id = i.staff_id AND a.active
JOIN staff s ON s.id = i.staff_id AND s.active
WHERE i.used_at IS NULL AND i.expires_at > $2 AND """


async def invited(tx: Tx, code: str) -> Any:
    """Find the invitation of a code: staff_id, opens, username, generation, has_factor."""
    return await tx.connection.fetchrow(f"{_INVITED} i.code_hash = $1", _hashed(code), tx.now)


async def still_invited(tx: Tx, staff_id: UUID, generation: int) -> Any:
    """Find an invitation again that a page was opened with, unless something came in between; it is
    held, so that it is used once.
    """
    row = await tx.connection.fetchrow(
        f"{_INVITED} i.staff_id = $1 FOR UPDATE OF i, a", staff_id, tx.now
    )
    return row if row is not None and row["generation"] == generation else None


async def use_invitation(tx: Tx, staff_id: UUID) -> None:
    await tx.connection.execute(
        "UPDATE invitations SET used_at = $2 WHERE staff_id = $1", staff_id, tx.now
    )


async def account(tx: Tx, staff_id: UUID, generation: int) -> Any:
    """Read an account that a page was opened with: username, has_factor. None if it was suspended,
    or something of it was reset since.
    """
    return await tx.connection.fetchrow(
        "SELECT a.staff_id, a.username, a.totp_sealed IS NOT NULL AS has_factor"
        " FROM staff_accounts a JOIN staff s ON s.id = a.staff_id AND s.active"
        " WHERE a.staff_id = $1 AND a.generation = $2 AND a.active",
        staff_id,
        generation,
    )


_CHOSEN: Final = """
UPDATE staff_accounts SET password_hash = $2, failed_attempts = 0, locked_until = NULL,
    generation = generation + 1
WHERE staff_id = $1 RETURNING username, generation
"""


async def choose_password(tx: Tx, staff_id: UUID, password_hash: str) -> int:
    """Set the password that a person chose; return the account's generation. All they had open
    ends, and no browser or network is known any more.
    """
    await end_sign_ins(tx, staff_id)
    row = await tx.connection.fetchrow(_CHOSEN, staff_id, password_hash)
    await tx.connection.execute(
        "UPDATE sign_in_places SET known_until = NULL WHERE name_index = ANY ($1)",
        tx.keyring.blind_indexes("sign-in name", row["username"]),
    )
    generation: int = row["generation"]
    return generation


_ENROLLED: Final = """
UPDATE staff_accounts SET totp_sealed = $2, totp_step = $3, recovery = $4, factor_failures = 0,
    factor_rests_until = NULL, generation = generation + 1
WHERE staff_id = $1
"""


async def enrol(tx: Tx, staff_id: UUID, secret: str, step: int) -> list[str]:
    """Take an authenticator on, in place of the one before; return the codes for paper, shown this
    once. Other sign-ins end: they knew less.
    """
    await end_sign_ins(tx, staff_id)
    codes = second_factor.recovery_codes()
    await tx.connection.execute(
        _ENROLLED,
        staff_id,
        tx.keyring.seal(second_factor.PLACE, staff_id, secret),
        step,
        second_factor.hashes(tx.keyring, staff_id, codes),
    )
    return codes


class Tried(NamedTuple):
    """What came of a code: `right`, or not; `failures` in a row by now."""

    right: bool
    failures: int = 0


_FACTOR: Final = """
SELECT totp_sealed, totp_step, recovery, factor_failures,
       $3 OR factor_rests_until IS NULL OR factor_rests_until <= $2 AS open
FROM staff_accounts WHERE staff_id = $1 FOR UPDATE
"""
_RIGHT: Final = """
UPDATE staff_accounts SET totp_step = $2, recovery = array_remove(recovery, $3),
    factor_failures = 0, factor_rests_until = NULL
WHERE staff_id = $1
"""
_WRONG: Final = """
UPDATE staff_accounts SET factor_failures = $2, factor_rests_until = $3 WHERE staff_id = $1
"""


async def try_factor(tx: Tx, staff_id: UUID, code: str, *, known: bool) -> Tried:
    """Compare a code with the second factor: each counts once. Who guesses knows the password
    already; from the fifth in a row the factor rests, but not for a browser that is `known`.
    """
    row = await tx.connection.fetchrow(_FACTOR, staff_id, tx.now, known)
    if not row["open"]:
        return Tried(right=False)
    said = second_factor.written(code)
    secret = tx.keyring.unseal(second_factor.PLACE, staff_id, row["totp_sealed"])
    step = second_factor.step_of(secret, said, tx.now, after=row["totp_step"])
    hashed = [h for ring in tx.keyring.each() for h in second_factor.hashes(ring, staff_id, [said])]
    on_paper = next((each for each in hashed if each in row["recovery"]), None)
    if step is not None or on_paper is not None:
        last = row["totp_step"] if step is None else step
        await tx.connection.execute(_RIGHT, staff_id, last, on_paper)
        return Tried(right=True)
    failures: int = row["factor_failures"] + 1
    pause = rules.pause_after(failures)
    rests_until = tx.now + pause if pause else None
    await tx.connection.execute(_WRONG, staff_id, failures, rests_until)
    return Tried(right=False, failures=failures)


async def open_account(tx: Tx, staff_id: UUID, username: str, password_hash: str = "") -> bool:
    """Open an account, without a password until one is chosen; False if another has the name."""
    values = {"staff_id": staff_id, "username": username, "password_hash": password_hash}
    more = {"failed_attempts": 0, "active": True, "created_at": tx.now}
    return await insert(tx.connection, "staff_accounts", {**values, **more}, unless_taken=True)


async def set_active(tx: Tx, staff_id: UUID, *, active: bool) -> None:
    """Suspend an account, or let it work again. Suspended, nothing of it works from this instant:
    tokens, refreshing, codes, what is half done, an invitation; none of that comes back.
    """
    await tx.connection.execute(
        "UPDATE staff_accounts SET active = $2, generation = generation + 1 WHERE staff_id = $1",
        staff_id,
        active,
    )
    if not active:
        await end_sign_ins(tx, staff_id)
        for table in ("invitations", "device_codes"):
            await tx.connection.execute(f"DELETE FROM {table} WHERE staff_id = $1", staff_id)


async def end_sign_ins(tx: Tx, staff_id: UUID) -> int:
    """End all a person has open, on every device; return how much that was."""
    done = await tx.connection.execute(
        "UPDATE sign_ins SET revoked_at = $2"
        " WHERE staff_id = $1 AND revoked_at IS NULL AND ends_at > $2",
        staff_id,
        tx.now,
    )
    return int(done.rpartition(" ")[2])
