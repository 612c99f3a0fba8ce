"""What a change of reports holds before any row: events, then chains of corrections, in this order.

Whoever changes a report holds its chain: what follows from a step reaches the reports it corrects,
and those that correct it. Whoever holds several chains holds the events before. A report that comes
in holds only what it is called, before all of these: it waits for nobody's joining, unless it is
itself called after a report that is there.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports import fetching
from app.police_reports.fetching import COLUMNS, Report

_EVENTS: Final = "SELECT pg_advisory_xact_lock(hashtextextended('police_reports/joining', 0))"
_NAMES: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('police_reports/called/' || name, 0))
FROM (SELECT UNNEST($1::uuid[]) AS name ORDER BY name) AS called
"""
_NAME: Final = """
SELECT pg_try_advisory_xact_lock(hashtextextended('police_reports/called/' || $1::uuid, 0))
"""
_STEP: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('police_reports/step/' || $1::uuid, 0))
"""
_CHAINS: Final = """
WITH RECURSIVE up AS (
    SELECT id, supersedes_id FROM police_reports WHERE id = ANY ($1)
    UNION
    SELECT r.id, r.supersedes_id FROM up JOIN police_reports r ON r.id = up.supersedes_id
)
SELECT pg_advisory_xact_lock(hashtextextended('police_reports/chain/' || id, 0))
FROM (SELECT id FROM up WHERE supersedes_id IS NULL ORDER BY id) AS first
"""
"""The first report of a chain never becomes another."""


async def hold_names(tx: Tx, names: Collection[UUID]) -> None:
    """Let no other report come in that is called one of these, or after one, meanwhile."""
    await tx.connection.execute(_NAMES, names)


async def try_name(tx: Tx, name: UUID) -> bool:
    """Hold a name, unless somebody else does: for who holds events, and so waits for no name."""
    held: bool = await tx.connection.fetchval(_NAME, name)
    return held


async def hold_step(tx: Tx, step_id: UUID) -> None:
    """Let nobody else take a step under an id meanwhile; after all else that is held."""
    await tx.connection.execute(_STEP, step_id)


async def hold_events(tx: Tx) -> None:
    """Let nobody else join or separate reports until this has ended."""
    await tx.connection.execute(_EVENTS)


async def hold_chains(tx: Tx, report_ids: Collection[UUID]) -> None:
    """Let nobody else change these reports, nor those of their chains, until this has ended. One
    statement, one look-up by the key a report.
    """
    async with tx.as_system():  # of a chain somebody may have a part in the last alone
        await tx.connection.execute(_CHAINS, report_ids)


_HOLD: Final = f"""
SELECT {COLUMNS} FROM police_reports r WHERE r.id = ANY ($1) ORDER BY r.id FOR UPDATE OF r
"""


async def hold_reports(tx: Tx, reports: Iterable[Mapping[str, Any]]) -> list[Report]:
    """Hold the chains of these reports, then the reports, and return those that there are, as they
    are by now. In SYSTEM's reach.
    """
    ids = [report["id"] for report in reports]
    if len(ids) > 1:
        await hold_events(tx)
    await hold_chains(tx, ids)
    return await fetching.reports(tx, _HOLD, ids)


_OF_EVENTS: Final = "SELECT id FROM police_reports WHERE id = ANY ($1) OR incident_id = ANY ($2)"


async def hold_event(tx: Tx, *reports: Mapping[str, Any]) -> dict[UUID, Report]:
    """Hold these reports and all that is one event with them; return them by id. Of who holds all
    events, in SYSTEM's reach.
    """
    ids = [report["id"] for report in reports]
    events = [report["incident_id"] for report in reports if report["incident_id"]]
    found = await tx.connection.fetch(_OF_EVENTS, ids, events)
    return {row["id"]: row for row in await hold_reports(tx, found)}
