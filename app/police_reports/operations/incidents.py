"""What belongs together: a report and its child's file, and the reports of one event."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import events, fetching, queries
from app.police_reports.acts import ACTS
from app.police_reports.fetching import COLUMNS, Report
from app.police_reports.models import Step
from app.police_reports.operations import home
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.operations.locks import hold_event
from app.police_reports.operations.steps import Deed, Taken, repeated, take
from app.police_reports.schemas import steps as stated

MOVE: Final = """
UPDATE police_reports SET incident_id = $1
WHERE id = ANY($2) AND incident_id IS DISTINCT FROM $1
"""
"""Its version stays: who has no part in the others learns nothing of them."""
_UNKNOWING: Final = f"""{CHAIN}
SELECT {COLUMNS} FROM police_reports r JOIN chain ON chain.id = r.id
WHERE r.child_id IS NULL AND r.id <> $1 ORDER BY r.id FOR UPDATE OF r
"""


async def identify_child(
    tx: Tx, principal: Principal, report: Report, new: stated.Identification
) -> tuple[Taken, UUID | None]:
    """Hang a report about an unknown child on its file, as the police or the township, and return
    that; all of its chain, too, by a step each. What was told of the child when it was filed stays;
    the offices of where it lives become parties. What no file answers to, or several do, is kept as
    said, for whoever may open or choose one. Raises NotYourPart, ChildKnownAlready; ReportInvalid
    if an id is no file's.
    """
    before, new = await repeated(tx, report, new, Step.IDENTIFIED, Step.DESCRIBED)
    if before:
        return before, report["child_id"]
    ACTS["identifyChild"].require(principal, report, tx.today)
    if new.child_id is None:
        found = await home.known_as(tx, new)
    elif (
        named := await home.hold(tx, new.child_id, named_by=_phones(principal, report))
    ) is not None:
        found = [named]
    else:
        raise ReportInvalid.at("#/child_id", "child_unknown", "There is no such file.")
    if len(found) != 1:
        codes = {"found": "several" if found else "none" if new.name else "not_sought"}
        said = Deed(Step.DESCRIBED, new, events.ChildDescribed, codes=codes)
        return await _say(tx, principal, report, said), None
    [child] = found
    said = Deed(
        Step.IDENTIFIED,
        new,
        events.ChildIdentified,
        codes={"child_id": child.id},
        changes={**home.hung_on(child), "identified_at": tx.now},
    )
    return await _say(tx, principal, report, said), child.id


async def _say(tx: Tx, principal: Principal, report: Report, said: Deed) -> Taken:
    """Say of a report, and of those of its chain that do not know it yet, who the child is."""
    silent = replace(said, body=said.body.model_copy(update={"id": None}))
    async with tx.as_system():
        for each in await fetching.reports(tx, _UNKNOWING, report["id"]):
            await take(tx, principal, each, silent)
    return await take(tx, principal, report, said)


def _phones(principal: Principal, report: Report) -> list[UUID]:
    """Return whose names of a file are understood: one's own, then those of who reported."""
    return [principal.agency_id, report["reporter_agency_id"]]


async def join_reports(tx: Tx, principal: Principal, report: Report, new: stated.Joining) -> Taken:
    """Say that two reports, and whatever each was joined with before, are about one event. Raises
    NotYourPart; ReportInvalid if the caller has no part in the other.
    """
    before, new = await repeated(tx, report, new, Step.JOINED)
    if before:
        return before
    ACTS["joinReports"].require(principal, report, tx.today)
    other = await queries.find(tx, principal, new.report_id)
    if other is None or other["id"] == report["id"]:
        raise ReportInvalid.at("#/report_id", "report_unknown", "Name another report of yours.")
    ACTS["joinReports"].require(principal, other, tx.today)
    async with tx.as_system():
        held = await hold_event(tx, report, other)
        event = report["incident_id"] or other["incident_id"] or new_id()
        await tx.connection.execute(MOVE, event, list(held))
        here, there = held[report["id"]], held[other["id"]]
    silent = new.model_copy(update={"id": None, "report_id": here["id"]})
    before, new = await repeated(tx, report, new, Step.JOINED)
    if before:  # pragma: no cover  sent twice at once
        return before
    await _join(tx, principal, there, here, silent, event)
    return await _join(tx, principal, here, there, new, event)


async def _join(
    tx: Tx,
    principal: Principal,
    report: Report,
    other: Report,
    new: stated.Joining,
    event: UUID,
) -> Taken:
    """Note on one report that it belongs to the other; who has a part in both alone is told."""
    deed = Deed(
        Step.JOINED,
        new,
        events.ReportsJoined,
        facts={"incident_id": min(report["id"], other["id"])},
        codes={"incident_id": event, "report_id": other["id"]},
        beside=other,
    )
    return await take(tx, principal, report, deed)
