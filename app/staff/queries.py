"""The people whose accounts a caller looks after."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.access.acts import Act
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging

LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "civil_affairs": ("civil_affairs", "township_government", "village_committee"),
    "township_supervisor": ("village_committee",),
}
"""Whose people a role looks after in its place, beside those of its own agency."""

_STAFF: Final = """
SELECT m.* FROM (
    SELECT s.id, s.agency_id, s.region_code, g.kind AS agency_kind, s.name, s.created_at,
           a.username, coalesce(a.totp_sealed IS NOT NULL, false) AS has_second_factor,
           CASE WHEN NOT s.active THEN 'ended' WHEN a.staff_id IS NULL THEN 'without_account'
                WHEN NOT a.active THEN 'suspended' WHEN a.password_hash = '' THEN 'invited'
                ELSE 'active' END AS state,
           CASE WHEN a.password_hash = '' THEN 'account' WHEN a.totp_sealed IS NULL
                THEN 'second_factor' ELSE 'nothing' END AS lacks, i.opens, i.expires_at
    FROM staff s
    JOIN LATERAL (SELECT kind FROM agencies WHERE id = s.agency_id OFFSET 0) AS g ON true
    LEFT JOIN LATERAL (
        SELECT staff_id, username, totp_sealed, active, password_hash FROM staff_accounts
        WHERE staff_id = s.id OFFSET 0) AS a ON true
    LEFT JOIN LATERAL (
        SELECT opens, expires_at FROM invitations
        WHERE staff_id = s.id AND used_at IS NULL OFFSET 0) AS i ON true) AS m"""
"""Agency, account and invitation are looked up person by person, in the order of the list: merged
or hashed, a page deep inside would read all before it, and one narrowed by an act, everybody.
"""
_BY_ENTRY: Final = paging.Order({"m.id": UUID})


def looked_after(principal: Principal) -> Where:
    """Limit people `m` to those whose accounts a caller looks after: their agency's own; those
    of a line in its remit; the operator, all.
    """
    if principal.agency_kind == "operator":
        return Where("true")
    line = LINES.get(principal.role.code)
    if line is None:
        return Where("m.agency_id = {}", principal.agency_id)
    # Place or agency first, which stand with the person: whoever is elsewhere is not looked up.
    own = (principal.agency_id, principal.region_lo, principal.region_hi)
    where = Where("m.agency_id = {} OR m.region_code >= {} AND m.region_code < {}", *own)
    return where.add("m.agency_id = {} OR m.agency_kind = ANY ({})", principal.agency_id, line)


def looks_after(principal: Principal, agency: Any) -> bool:
    """Tell whether a caller looks after the accounts of an agency's people."""
    own = principal.agency_kind == "operator" or agency.id == principal.agency_id
    inside = principal.region_lo <= agency.region_code < principal.region_hi
    return own or (agency.kind in LINES.get(principal.role.code, ()) and inside)


async def staff(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    agency_id: UUID | None,
    act: Act | None,
) -> paging.Rows:
    """List the people a caller looks after, in the order they were entered."""
    where = looked_after(principal).add_given({"m.agency_id = {}": agency_id})
    if act is not None:
        act.narrow(where, principal, tx.today, alias="m")
    async with tx.as_system():  # accounts are seen at the door alone; `looked_after` narrows
        return await paging.fetch(tx, _STAFF, where, _BY_ENTRY, window)


async def member(tx: Tx, principal: Principal, staff_id: UUID) -> Any:
    """Find a person the caller looks after."""
    where = looked_after(principal).add("m.id = {}", staff_id)
    async with tx.as_system():
        return await tx.connection.fetchrow(f"{_STAFF} WHERE {where}", *where.arguments)


_DEVICES: Final = """
SELECT d.id, d.name, d.enrolled_at, d.seen_at, d.lease_until, d.revoked_at FROM devices d"""
_NEWEST: Final = paging.Order({"d.enrolled_at": datetime, "d.id": UUID}, descending=True)


async def devices(tx: Tx, staff_id: UUID, window: paging.Window) -> paging.Rows:
    """List a person's phones, those revoked too, newest first."""
    return await paging.fetch(tx, _DEVICES, Where("d.staff_id = {}", staff_id), _NEWEST, window)


async def device(tx: Tx, principal: Principal, device_id: UUID) -> Any:
    """Find a phone of somebody the caller looks after."""
    found = await tx.connection.fetchrow("SELECT d.* FROM devices d WHERE d.id = $1", device_id)
    owner = found and await member(tx, principal, found["staff_id"])
    return found if owner else None
