"""Reads of checks of staff near children."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from app.access import queries as access
from app.access.acts import Act
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.hiring_checks.rules import OVERSEEN, due_on
from app.policy import queries as policy

_near: Final = policy.lookup("hiring_checks.near_children")
_every: Final = policy.lookup("hiring_checks.every_days")

_CHECK: Final = """
SELECT k.id, k.staff_id, k.agency_id, k.region_code, k.office_id, k.asked_on, k.asked_by, k.result,
       k.answered_on, k.recorded_by, k.created_at AS recorded_at
FROM hiring_checks k JOIN agencies a ON a.id = k.agency_id"""
_NEWEST: Final = paging.Order({"k.id": UUID}, descending=True)


def _theirs(principal: Principal, agency: str, region: str) -> Where:
    """Limit to the people of the caller's own agency, and of those it oversees in its place."""
    where = Where(f"{agency} = {{}}", principal.agency_id)
    overseen = OVERSEEN.get(principal.role.code)
    if overseen is not None:
        where.or_else(
            f"{region} >= {{}} AND {region} < {{}} AND a.kind = ANY ({{}}::text[])",
            *(principal.region_lo, principal.region_hi, [*map(str, overseen)]),
        )
    return where


async def checks(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    staff_id: UUID | None,
    result: str | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page of checks, newest first."""
    where = _theirs(principal, "k.agency_id", "k.region_code")
    where.add_given({"k.staff_id = {}": staff_id, "k.result = {}": result})
    if act is not None:
        act.narrow(where, principal, tx.today, alias="k")
    return await paging.fetch(tx, _CHECK, where, _NEWEST, window)


async def find(tx: Tx, principal: Principal, check_id: UUID) -> Any:
    where = _theirs(principal, "k.agency_id", "k.region_code").add("k.id = {}", check_id)
    return await tx.connection.fetchrow(f"{_CHECK} WHERE {where}", *where.arguments)


async def employed(tx: Tx, principal: Principal, staff_id: UUID) -> Any:
    """Find a person whose checks the caller records: id, agency, where that is."""
    where = _theirs(principal, "s.agency_id", "s.region_code").add("s.id = {}", staff_id)
    return await tx.connection.fetchrow(
        "SELECT s.id, s.agency_id, s.region_code FROM staff s JOIN agencies a ON a.id = s.agency_id"
        f" WHERE {where} AND s.active",
        *where.arguments,
    )


# Agency by agency, in the order of the list: of all who hold posts in a province few are looked at.
_HELD: Final = """
SELECT a.region_code, w.* FROM agencies a CROSS JOIN LATERAL (
    SELECT h.id, h.staff_id, p.agency_id, h.post_id, p.role, h.since, c.clear_on
    FROM posts p JOIN post_holdings h ON h.post_id = p.id
    CROSS JOIN LATERAL (
        SELECT max(k.asked_on) AS clear_on FROM hiring_checks k
        WHERE k.staff_id = h.staff_id AND k.result = 'clear' AND NOT EXISTS (
            SELECT FROM hiring_checks n WHERE n.staff_id = k.staff_id
              AND n.result = 'not_clear' AND n.answered_on >= k.asked_on)) c
    WHERE p.agency_id = a.id AND p.active AND h.since <= {today}::date
      AND (h.until IS NULL OR h.until > {today}::date)
    OFFSET 0) w"""
_BY_PLACE: Final = paging.Order({"a.region_code": int, "w.agency_id": UUID, "w.id": UUID})


async def near_children(
    tx: Tx, principal: Principal, window: paging.Window, *, overdue: bool | None
) -> paging.Rows:
    """Return a page of who holds a post near children today, among the people of the caller's
    agency and those it oversees. `overdue`: only those, or only others.
    """
    near, _ = parameters(principal.region_code, tx.today)
    where = _theirs(principal, "a.id", "a.region_code")
    where.add("a.active AND a.kind = ANY ({}::text[])", near)
    late = "coalesce(w.clear_on <= {}, true)" if overdue else "w.clear_on > {}"
    if overdue is not None:
        where.add(late, _counts_from(principal.region_code, tx.today))
    select = _HELD.format(today=where.bind(tx.today))
    return await paging.fetch(tx, select, where, _BY_PLACE, window)


def shown(row: Any, region_code: int, on: date) -> dict[str, Any]:
    """Add to who is near children by when they are checked anew."""
    due = due_on(row["clear_on"], row["since"], parameters(region_code, on)[1])
    said = {name: value for name, value in row.items() if name != "region_code"}
    return {**said, "due_on": due, "overdue": due <= on}


def parameters(region_code: int, on: date) -> tuple[list[str], int]:
    """Return the kinds of agencies whose posts are near children in a place, and for how many days
    a check counts.
    """
    return [*_near(region_code, on)], int(_every(region_code, on))


def _counts_from(region_code: int, on: date) -> date:
    return on - timedelta(days=parameters(region_code, on)[1])


# Who was found not clear is so until a question of a later day is answered: what was under way
# meanwhile, at another office that knows less, takes nothing back.
_LATEST: Final = """
SELECT k.result, k.asked_on FROM hiring_checks k
WHERE k.staff_id = ANY ($1) AND k.result IN ('clear', 'not_clear')
ORDER BY CASE k.result WHEN 'clear' THEN k.asked_on ELSE k.answered_on END DESC,
    k.result = 'not_clear' DESC, k.id DESC LIMIT 1
"""


async def latest(tx: Tx, staff_id: UUID) -> Any:
    """Return what is known of a person, by whatever account and by whomever they were asked about:
    what was last found, or when they were last asked about and are clear.
    """
    async with tx.as_system():
        entries = await access.one_person(tx, staff_id)
        return await tx.connection.fetchrow(_LATEST, entries)


def counts(asked_on: date, region_code: int, on: date) -> bool:
    """Tell whether a check of a day counts still in a place."""
    return asked_on > _counts_from(region_code, on)
