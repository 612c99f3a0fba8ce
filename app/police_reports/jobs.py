"""What happens to reports in the background: proof of delivery, alarms, second routing."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from app.attendance import presence
from app.children.events import ChildChanged, ChildNamed, ChildRegistered, ChildUnnamed
from app.core.data.db import Tx
from app.core.data.sql import insert
from app.core.jobs import events as spine
from app.core.jobs import queue
from app.police_reports import events, fetching, jurisdiction, rules
from app.police_reports.models import UNROUTED, WAITING, State, Step
from app.police_reports.operations import closed, home, spooling
from app.police_reports.operations.filing import relieve
from app.police_reports.operations.hidden import CHAIN, note
from app.police_reports.operations.locks import hold_reports
from app.police_reports.operations.placing import place_again
from app.police_reports.operations.standing import change
from app.police_reports.operations.steps import redeliver
from app.police_reports.operations.telling import announce
from app.police_reports.operations.unknown_child import (
    ask_again,
    attach_stated,
    detach_stated,
    keep_asked,
)
from app.regions import following
from app.regions.events import CodeUnderstood, RegionReplaced
from app.regions.rules import SPANS, codes_of, lineage
from app.webhooks.events import DeliverySucceeded

log = structlog.get_logger(__name__)
_PER_RUN: Final = 200
_TAKES: Final = [events.ReportFiled.wire_name, "police_reports.*"]
_OPEN: Final = f"""{UNROUTED}
    AND (r.superseded_by_id IS NULL OR EXISTS (
        SELECT FROM police_reports c WHERE c.id = r.superseded_by_id
          AND (c.delivered_at IS NOT NULL
               OR c.region_code / {SPANS[2]} <> r.region_code / {SPANS[2]})))"""
"""A report waits until police have it, or the correction that takes its place there."""
_POLICE: Final = "a.active AND a.kind = 'police'"
_MAY: Final = f"""a.id <> ALL (r.hidden_from)
    AND {jurisdiction.told_police("a.region_code", "r.police_below")}"""
_NEXT_PLACE: Final = f"""SELECT r.region_code FROM police_reports r
    WHERE {UNROUTED} AND r.police_agency_id IS NULL AND r.region_code > {{}}
    ORDER BY r.police_agency_id, r.region_code LIMIT 1"""
_NEAR: Final = f"{_POLICE} AND a.region_code IN ({jurisdiction.above('p.code')})"
_WAITING: Final = f"""
WITH RECURSIVE places (code) AS (
    SELECT ({_NEXT_PLACE.format(-1)})
    UNION ALL SELECT ({_NEXT_PLACE.format("p.code")}) FROM places p WHERE p.code IS NOT NULL
), reached AS MATERIALIZED (
    SELECT a.* FROM agencies a WHERE {_POLICE} AND EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.agency_id = a.id AND e.active AND e.event_types && $2::text[])
), further AS (
    SELECT r.* FROM places p CROSS JOIN LATERAL (
        SELECT r.id, r.region_code, r.filed_at FROM police_reports r
        WHERE r.region_code = p.code AND r.police_agency_id IS NULL AND {_OPEN}
          AND EXISTS (SELECT FROM agencies a WHERE {_NEAR} AND {_MAY})
        ORDER BY r.filed_at, r.id LIMIT $1) r
    WHERE EXISTS (SELECT FROM agencies a WHERE {_NEAR})
    UNION SELECT r.* FROM reached a CROSS JOIN LATERAL (
        SELECT r.id, r.region_code, r.filed_at FROM police_reports r
        WHERE r.region_code >= a.region_code
          AND r.region_code < a.region_code + {codes_of("a.region_code")}
          AND r.police_agency_id IS NOT NULL AND {_OPEN} AND {_MAY} OFFSET 0) r
    UNION SELECT r.id, r.region_code, r.filed_at
    FROM reached a JOIN police_reports r ON r.police_agency_id = a.id WHERE {_OPEN} AND {_MAY}
), at_place AS (
    SELECT f.*, row_number() OVER (PARTITION BY region_code ORDER BY filed_at, id) AS turn
    FROM further f
), turns AS (
    SELECT id, row_number() OVER (PARTITION BY region_code / {SPANS[2]}
                                  ORDER BY turn, filed_at, id) AS turn
    FROM at_place ORDER BY turn, filed_at, id LIMIT $1
)
SELECT {fetching.COLUMNS} FROM police_reports r JOIN turns USING (id) ORDER BY turn, filed_at
FOR UPDATE OF r SKIP LOCKED
"""
"""Reports that can be brought further now: of every county one, then of every county a second, the
oldest first, and within it likewise of every place: one that is held stops no other. Read are the
places of those that no police have, each once, and what police with an endpoint may get.
"""


_OPEN_OF_CHILD: Final = """
SELECT id FROM police_reports WHERE child_county = $1 AND child_id = $2 AND state <> 'closed'
"""
_SHIFT_FORMER: Final = """
UPDATE police_reports SET former_homes = ARRAY(
    SELECT CASE WHEN code >= $1 AND code < $2 THEN code + $3 ELSE code END
    FROM unnest(former_homes) AS code UNION SELECT unnest($4::bigint[]))
WHERE cardinality(former_homes) > 0
  AND EXISTS (SELECT FROM unnest(former_homes) AS code WHERE code >= $1 AND code < $2)
"""
"""Few children move while a report about them is open: an index has just those."""


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let reports lie where their place is now, and where the child lives and lived: the offices go
    on seeing them.
    """
    await following.shift(tx, event, "police_reports", "region_code")
    await following.shift(tx, event, "police_reports", "home_region")
    above = lineage(event.old_lo + event.shift)[:-1]
    await tx.connection.execute(_SHIFT_FORMER, event.old_lo, event.old_hi, event.shift, above)


_PLACE_JOB: Final = "police_reports.place_next"


@spine.on(CodeUnderstood)
async def place_waiting(tx: Tx, event: CodeUnderstood) -> None:
    """Bring reports of a code that meant nothing when they came to the place it means now; look
    again for those that were being filed while it got its meaning.
    """
    first = {"lo": event.lo, "hi": event.hi, "after": str(UUID(int=0))}
    await following.look_twice(tx, _PLACE_JOB, first)


@queue.job(_PLACE_JOB)
async def place_next(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of reports; queue the next in the same transaction."""
    after = await place_again(tx, payload["lo"], payload["hi"], UUID(payload["after"]))
    if after is not None:
        await queue.enqueue(tx.connection, _PLACE_JOB, [{**payload, "after": str(after)}])


@spine.on(ChildChanged)
async def follow_child(tx: Tx, changed: ChildChanged) -> None:
    """Let the offices of a child's new home have a part in its open reports, beside the former."""
    if changed.previous_region_code is None:
        return
    child = (changed.home_county, changed.subject_id)
    for report in await hold_reports(tx, await tx.connection.fetch(_OPEN_OF_CHILD, *child)):
        if moved := await home.now(tx, report):  # pragma: no branch  told of twice
            await change(tx, report["id"], **moved)
            await announce(tx, events.ChildMoved, {**report, **moved})


# Where the police took the child, from then on; a day that has not come yet is none to believe, nor
# one over a year before it was reported, as systems write for none. If they name the place in words
# only, or found a missing child that day, it is they who saw it. And where whoever takes children
# in, and reports this one, has it before its eyes: on the day they found it, which was not after
# the day on which they first said so, by their last word. What was done on a report was done for
# the child of its last correction, too.
_SIGHTINGS: Final = f"""{CHAIN}, reports AS (
    SELECT r.* FROM police_reports r JOIN chain ON chain.id = r.id
), first AS (
    SELECT min(filed_at) AS filed_at, (min(filed_at) - interval '1 year')::date AS since
    FROM reports
), whose AS (
    SELECT id, child_id FROM reports
    UNION SELECT r.id, last.child_id FROM reports r, reports last
    WHERE last.superseded_by_id IS NULL
)
SELECT w.child_id, s.id AS source_id, coalesce(a.id, s.agency_id) AS seen_by_id,
    least(CASE WHEN deed.handed >= first.since THEN deed.handed END, deed.day) AS since,
    CASE WHEN NOT deed.placed THEN deed.day END AS until
FROM first, whose w JOIN police_report_steps s ON s.report_id = w.id AND s.step = 'disposed'
LEFT JOIN agencies a ON a.id = (s.codes ->> 'placed_with_agency_id')::uuid
CROSS JOIN LATERAL (SELECT (s.codes ->> 'handed_over_on')::date AS handed,
    (least(CASE WHEN s.at >= first.since THEN s.at END, s.recorded_at)
        AT TIME ZONE 'Asia/Shanghai')::date AS day,
    a.id IS NOT NULL OR coalesce((s.codes ->> 'placed_unregistered')::boolean, false) AS placed
) AS deed
WHERE w.child_id IS NOT NULL AND (deed.placed OR s.codes ? 'child_found'
    OR s.codes @> '{{"measures": ["child_found"]}}'
    OR s.codes @> '{{"handled": [{{"measures": ["child_found"]}}]}}')
UNION ALL
SELECT r.child_id, r.id, a.id, found.day, found.day
FROM first, reports r JOIN agencies a ON a.id = r.reporter_agency_id
    AND a.kind IN ('hospital', 'rescue_institution', 'welfare_institution')
CROSS JOIN LATERAL (SELECT (least(r.found_at, first.filed_at) AT TIME ZONE 'Asia/Shanghai')::date
    AS day) AS found
WHERE r.child_id IS NOT NULL AND r.superseded_by_id IS NULL
ORDER BY source_id
"""
_CORRECTED: Final = f"""{CHAIN}
SELECT r.child_id, array_agg(r.id) AS sources FROM police_reports r JOIN chain ON chain.id = r.id
WHERE r.superseded_by_id IS NOT NULL AND r.child_id IS NOT NULL GROUP BY r.child_id
"""


@spine.on(events.ReportFiled)
async def ask_whose_report(tx: Tx, filed: events.ReportFiled) -> None:
    """Ask which child it is about, if it hangs on no file. The file may have appeared meanwhile."""
    stated = "SELECT stated_child_id FROM police_reports WHERE id = $1"
    if (child_id := await tx.connection.fetchval(stated, filed.report_id)) is not None:
        await attach_stated(tx, child_id)
    await keep_asked(tx, filed.report_id)


@spine.on(ChildRegistered)
async def attach_to_new_file(tx: Tx, opened: ChildRegistered) -> None:
    """Hang on a file the reports that called the child by its id before it was opened."""
    await attach_stated(tx, opened.subject_id)


@spine.on(ChildNamed)
async def attach_to_file_named(tx: Tx, named: ChildNamed) -> None:
    """Hang on a file the reports that called the child by what is another name of it now."""
    await attach_stated(tx, named.subject_id)


@spine.on(ChildUnnamed)
async def leave_file_not_named(tx: Tx, unnamed: ChildUnnamed) -> None:
    """Take from a file the reports that called the child by what is no name of it any more."""
    await detach_stated(tx, unnamed)


@spine.on(events.ReportSuperseded)
async def ask_of_the_correction_alone(tx: Tx, superseded: events.ReportSuperseded) -> None:
    """Let what is asked be asked of the report that took its place."""
    await keep_asked(tx, superseded.subject_id)


@spine.on(events.ChildIdentified)
async def ask_no_more(tx: Tx, identified: events.ChildIdentified) -> None:
    """Let nobody owe what is known now."""
    await keep_asked(tx, identified.subject_id)


@spine.on(events.ChildDescribed)
async def ask_by_what_was_said(tx: Tx, described: events.ChildDescribed) -> None:
    """Let the office that is asked read again what is known of the child."""
    await keep_asked(tx, described.subject_id, anew=True)


@spine.on(events.IdentificationWithdrawn)
async def ask_again_whose(tx: Tx, withdrawn: events.IdentificationWithdrawn) -> None:
    """Ask anew which child it is about."""
    await keep_asked(tx, withdrawn.subject_id, anew=True)


@spine.on(events.ReportFiled)
async def sighted_by_reporter(tx: Tx, filed: events.ReportFiled) -> None:
    """Let the school's word be held against a hospital's or a shelter's, which has the child
    (EDU-01): against what it says now, not what it has corrected.
    """
    await _sighted(tx, filed.report_id)
    if filed.supersedes is not None:
        for row in await tx.connection.fetch(_CORRECTED, filed.report_id):
            await presence.mistaken(tx, row["child_id"], row["sources"])


@spine.on(events.ReportDisposed)
async def sighted_where_placed(tx: Tx, disposed: events.ReportDisposed) -> None:
    """Let the school's word be held against where the police took the child, or that they found it
    (EDU-01).
    """
    await _sighted(tx, disposed.subject_id)


@spine.on(events.ToldLate)
async def sighted_where_placed_then(tx: Tx, late: events.ToldLate) -> None:
    """Let it be held against that also of police who have passed the report on."""
    await _sighted(tx, late.subject_id)


@spine.on(events.ChildIdentified)
async def sighted_before(tx: Tx, identified: events.ChildIdentified) -> None:
    """Let it be held against what the report says of the child that it turned out to be."""
    await _sighted(tx, identified.subject_id)


async def _sighted(tx: Tx, report_id: UUID) -> None:
    await note(tx, report_id)
    for row in await tx.connection.fetch(_SIGHTINGS, report_id):
        await presence.sighted(tx, presence.Sighting(**row))


@spine.on(DeliverySucceeded)
async def mark_delivered(tx: Tx, delivered: DeliverySucceeded) -> None:
    """Note that the police's system has taken a report (R24). The delivery's id is the step's."""
    report = next(iter(await hold_reports(tx, [{"id": delivered.subject_id}])), None)
    at = await tx.connection.fetchval(
        "SELECT delivered_at FROM webhook_deliveries WHERE id = $1", delivered.delivery_id
    )
    if report is None or not await _note_delivery(tx, report, delivered, at or tx.now):
        return
    if report["police_agency_id"] == delivered.agency_id and report["delivered_at"] is None:
        state, _ = rules.advance(State(report["state"]), Step.DELIVERED)
        await change(tx, report["id"], delivered_at=at or tx.now, state=state)
        await relieve(tx, report)
        await announce(tx, events.ReportDelivered, report)


@queue.walk("police_reports.ask_again", "*/5 * * * *")
async def ask_of_others(tx: Tx, after: UUID) -> UUID | None:
    """Ask whoever was registered since which child a report is about."""
    return await ask_again(tx, after)


@queue.job("police_reports.ask_on")
async def ask_on(tx: Tx, payload: dict[str, Any]) -> None:
    """Finish what the release before has queued."""
    await ask_again(tx, UUID(payload["after"]))


@queue.every("police_reports.mark_overdue", "* * * * *")
async def mark_overdue(tx: Tx, payload: dict[str, Any]) -> None:
    """Announce, once each, the reports not delivered or not accepted in time (REP-07)."""
    for late, kind in (
        (_NOT_ACCEPTED, events.AcknowledgementOverdue),
        (_NOT_DELIVERED, events.DeliveryOverdue),
    ):
        for report in await fetching.reports(tx, late, tx.now, _PER_RUN):
            await announce(tx, kind, report)


_LATE: Final = f"""
UPDATE police_reports r SET {{alarmed}} = $1 WHERE id IN (
    SELECT id FROM police_reports
    WHERE {WAITING} AND {{alarmed}} IS NULL AND {{which}} AND {{due}} < $1
    ORDER BY {{due}} LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING {fetching.COLUMNS}
"""
_NOT_ACCEPTED: Final = _LATE.format(
    alarmed="acknowledgement_alarmed_at", which="true", due="acknowledge_due_at"
)
_NOT_DELIVERED: Final = _LATE.format(
    alarmed="delivery_alarmed_at", which="delivered_at IS NULL", due="deliver_alarm_at"
)
"""An index of each has no report of which the alarm has sounded."""

queue.every(spooling.FILE_SPOOLED, "* * * * *")(spooling.file_spooled)
queue.job(spooling.FILE_ONE, of=spooling.FILE_SPOOLED)(spooling.file_one_spooled)


@queue.every("police_reports.route_waiting", "* * * * *")
async def route_waiting(tx: Tx, payload: dict[str, Any]) -> None:
    """Try again to bring reports on their way that no police endpoint has taken so far. Where an
    endpoint is held by somebody else, the others go on, and it is tried again.
    """
    await closed.unhand(tx, _PER_RUN)
    waiting = await fetching.reports(tx, _WAITING, _PER_RUN, _TAKES)
    await tx.connection.execute(_WAIT_SHORTLY)
    for report in waiting:
        try:
            async with tx.connection.transaction():
                await _route(tx, report)
        except asyncpg.LockNotAvailableError:
            log.warning("police_reports.endpoint_held", report=str(report["id"]))


# All of a run may meet the one that is held: a few seconds, in which these reports are held, too.
_WAIT_SHORTLY: Final = "SET LOCAL lock_timeout = '20ms'"


async def _route(tx: Tx, report: fetching.Report) -> None:
    """Bring a report to the nearest police with an endpoint, else to those who have it, if one of
    theirs takes it by now. Those who had it keep it.
    """
    due_at = report["acknowledge_due_at"]
    offices = await jurisdiction.offices(tx, report)
    had = {report["police_agency_id"], *report["also_told"]} - {None}
    beside = [each for each in sorted(had) if each not in offices.police]
    may = [each for each in beside if await jurisdiction.may_get(tx, report, each)]
    for police in (*offices.police, *may):
        if await redeliver(tx, report, police, due_at):
            others, routing = sorted(had - {police}), "routed"
            break
    else:
        if report["police_agency_id"] or not offices.police:
            return  # pragma: no cover  an endpoint or an agency was closed at this moment
        police, routing = offices.police[0], "no_endpoint"
        others = sorted({*had, *offices.police} - {police})
    if police != report["police_agency_id"]:
        found = {"police_agency_id": police, "acknowledge_due_at": due_at}
        await announce(tx, events.ReportForwarded, {**report, "also_told": others}, **found)
    await change(tx, report["id"], police_agency_id=police, also_told=others, routing=routing)


async def _note_delivery(
    tx: Tx, report: fetching.Report, delivered: DeliverySucceeded, at: datetime
) -> bool:
    """Append the step; False if it was there already, since handlers may run twice."""
    _, early = rules.advance(State(report["state"]), Step.DELIVERED)
    step = {
        "id": delivered.delivery_id,
        "home_county": report["home_county"],
        "report_id": report["id"],
        "step": Step.DELIVERED,
        "at": at,
        "recorded_at": tx.now,
        "agency_id": delivered.agency_id,
        "codes": orjson.dumps({"event_id": delivered.source_event_id}).decode(),
        "content_index": b"",  # nobody states it, so nobody can state the same again
        "out_of_order": early,
    }
    return await insert(tx.connection, "police_report_steps", step, unless_taken=True)
