"""The people whose accounts a caller looks after."""

from typing import Any, Final
from uuid import UUID

from app.access.acts import Act
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging

LINE: Final = ("civil_affairs", "township_government", "village_committee")
"""Whose people civil affairs look after in their place."""

_STAFF: Final = """
SELECT m.* FROM (
    SELECT s.id, s.agency_id, s.region_code, g.kind AS agency_kind, s.name, s.created_at,
           a.username, coalesce(a.totp_sealed IS NOT NULL, false) AS has_second_factor,
           CASE WHEN NOT s.active THEN 'ended' WHEN a.staff_id IS NULL THEN 'without_account'
                WHEN NOT a.active THEN 'suspended' WHEN a.password_hash = '' THEN 'invited'
                ELSE 'active' END AS state,
           CASE WHEN a.password_hash = '' THEN 'account' WHEN a.totp_sealed IS NULL
                THEN 'second_factor' ELSE 'nothing' END AS lacks
    FROM staff s JOIN agencies g ON g.id = s.agency_id
    LEFT JOIN staff_accounts a ON a.staff_id = s.id) AS m"""
_BY_ENTRY: Final = paging.Order({"m.id": UUID})


def looked_after(principal: Principal) -> Where:
    """Limit people `m` to those whose accounts a caller looks after: their agency's own; civil
    affairs, those of their line in the remit; the operator, all.
    """
    if principal.agency_kind == "operator":
        return Where("true")
    where = Where("m.agency_id = {}", principal.agency_id)
    if principal.role.code == "civil_affairs":
        remit = (principal.region_lo, principal.region_hi)
        where.or_else(
            "m.agency_kind = ANY ({}) AND m.region_code >= {} AND m.region_code < {}", LINE, *remit
        )
    return where


def looks_after(principal: Principal, agency: Any) -> bool:
    """Tell whether a caller looks after the accounts of an agency's people."""
    own = principal.agency_kind == "operator" or agency.id == principal.agency_id
    inside = principal.region_lo <= agency.region_code < principal.region_hi
    return own or (principal.role.code == "civil_affairs" and agency.kind in LINE and inside)


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
