"""A report is found and held for a change, also by whom it is hidden from meanwhile."""

from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.police_reports import fetching, queries
from app.police_reports.fetching import COLUMNS, Report
from app.police_reports.operations.locks import hold_chains, hold_events


async def find_to_change(tx: Tx, principal: Principal, report_id: UUID) -> Report | None:
    """Find and hold a report to take a step on."""
    await hold_chains(tx, [report_id])
    return await queries.find(tx, principal, report_id, lock=True)


async def find_to_join(tx: Tx, principal: Principal, report_id: UUID) -> Report | None:
    """Find a report to join with others, or to separate; all that is one event is held, then."""
    await hold_events(tx)
    return await queries.find(tx, principal, report_id)


async def find_to_correct(tx: Tx, principal: Principal, report_id: UUID) -> dict[str, Any] | None:
    """Find and hold a report to correct. Whoever filed it may, though it be hidden from their own
    agency, which it speaks against: nothing of it is shown.
    """
    await hold_events(tx)  # the correction may be called after another event
    if (seen := await find_to_change(tx, principal, report_id)) is not None:
        return dict(seen)
    where = Where("id = {} AND reporter_agency_id = {}", report_id, principal.agency_id)
    async with tx.as_system():
        sql = f"SELECT {COLUMNS} FROM police_reports r WHERE {where} FOR UPDATE OF r"
        hidden = await fetching.report(tx, sql, *where.arguments)
    return None if hidden is None else {**hidden, "out_of_sight": True}


async def find_to_take_back(tx: Tx, principal: Principal, report_id: UUID) -> dict[str, Any] | None:
    """Find and hold a report to take back whose child it is. One that the caller's agency lost
    sight of by that is found `out_of_sight`: to recognise the same step, not to show it.
    """
    seen = await find_to_change(tx, principal, report_id)
    if seen is not None:
        return {**seen, "out_of_sight": False}
    async with tx.as_system():
        found = await fetching.report(tx, _TAKEN_BACK, report_id, principal.agency_id)
    return found and {**found, "out_of_sight": True}


_TAKEN_BACK: Final = f"""
SELECT {COLUMNS} FROM police_reports r
WHERE r.id = $1 AND $2 <> ALL (r.hidden_from) AND EXISTS (
    SELECT FROM police_report_steps s WHERE s.report_id = r.id AND s.agency_id = $2
      AND s.step = 'identification_withdrawn')
"""
