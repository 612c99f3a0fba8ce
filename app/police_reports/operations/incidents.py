"""What belongs together: a report and its child's file, and the reports of one event."""

from typing import Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.core.data.db import Tx
from app.police_reports import events, queries
from app.police_reports.acts import ACTS
from app.police_reports.models import Step
from app.police_reports.operations import home
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.steps import Deed, Taken, repeated, take
from app.police_reports.schemas import steps as stated

_HOLD: Final = """
SELECT id FROM police_reports WHERE id = ANY($1) OR incident_id = ANY($1) ORDER BY id FOR UPDATE
"""
_JOIN: Final = """
UPDATE police_reports SET incident_id = $1, version = version + 1, updated_at = $3
WHERE id = ANY($2) AND incident_id IS DISTINCT FROM $1
"""


async def identify_child(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Identification
) -> Taken:
    """Hang a report about an unknown child on its file, as the police or the township. What was
    told of the child when it was filed stays; the offices of where it lives become parties. Raises
    NotYourPart, ChildKnownAlready, StepIdTaken; ReportInvalid if there is no such file.
    """
    if before := await repeated(tx, report, new, Step.IDENTIFIED):
        return before
    ACTS["identifyChild"].require(principal, report, tx.today)
    child = await home.hold(tx, new.child_id)
    if child is None:
        raise ReportInvalid.at("#/child_id", "child_unknown", "There is no such file.")
    deed = Deed(
        Step.IDENTIFIED,
        new,
        events.ChildIdentified,
        codes={"child_id": child.id},
        changes={
            "child_id": child.id,
            "child_county": child.home_county,
            "home_region": child.region_code,
            "identified_at": tx.now,
        },
    )
    return await take(tx, principal, report, deed)


async def join_reports(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Joining
) -> Taken:
    """Say that two reports, and whatever each was joined with before, are about one event. Raises
    NotYourPart, StepIdTaken; ReportInvalid if the caller has no part in the other.
    """
    if before := await repeated(tx, report, new, Step.JOINED):
        return before
    ACTS["joinReports"].require(principal, report, tx.today)
    other = await queries.find(tx, principal, new.report_id)
    if other is None or other["id"] == report["id"]:
        raise ReportInvalid.at("#/report_id", "report_unknown", "Name another report of yours.")
    ACTS["joinReports"].require(principal, other, tx.today)
    incidents = sorted({queries.incident_of(each) for each in (report, other)})
    async with tx.as_system():
        held = [row["id"] for row in await tx.connection.fetch(_HOLD, incidents)]
        await tx.connection.execute(_JOIN, queries.incident_of(other), held, tx.now)
    fact = {"incident_id": queries.incident_of(other)}
    there = new.model_copy(update={"id": None})
    await _join(tx, principal, other["id"], there, fact)
    return await _join(tx, principal, report["id"], new, fact)


async def _join(
    tx: Tx, principal: Principal, report_id: UUID, new: stated.Joining, fact: dict[str, UUID]
) -> Taken:
    report = await tx.connection.fetchrow("SELECT * FROM police_reports WHERE id = $1", report_id)
    deed = Deed(Step.JOINED, new, events.ReportsJoined, facts=fact, codes=fact)
    return await take(tx, principal, report, deed)
