"""What a finding and a notice make owed: who found something that must be reported, to report it
(REP-01); the police, to tell the township (REP-14); whom they told, to assess the child (REP-15);
who assessed it, to arrange services (REP-16).
Nobody against whom a report speaks is asked to help the child (AZ-8).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.children.child_keys import key_below
from app.children.events import SituationFound
from app.core.clock import beginning, local_date
from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.core.jobs.case_codes import with_codes
from app.police_reports import (
    case_events,
    events,
    fetching,
    finding_events,
    findings,
    jurisdiction,
    queries,
    rules,
)
from app.police_reports.fetching import COLUMNS, Report
from app.police_reports.operations import helping, hidden, investigating
from app.police_reports.operations.telling import announce
from app.policy import queries as policy
from app.referrals import events as referred
from app.referrals.operations import answering, opening
from app.visits import queries as visits
from app.visits.events import VisitCorrected, VisitRecorded, VisitTakenBack

_situations: Final = policy.lookup("report.situations")
_required: Final = policy.lookup("report.required_measures")
_bearers: Final = policy.lookup("report.duty_bearers")

_VISIT: Final = f"""
SELECT v.id, v.home_county, v.region_code, v.child_id, v.visited_in, v.agency_id, v.findings,
       v.words_sealed, v.visited_on, v.received_at, a.kind, {key_below("v")}
FROM visits v JOIN agencies a ON a.id = v.agency_id WHERE v.id = $1 AND v.home_county = $2
"""
# Shared: what is said of a report is said before the next step on it, never after.
_REPORT: Final = f"SELECT {COLUMNS} FROM police_reports r WHERE r.id = $1 FOR SHARE OF r"
_STEPS: Final = """
SELECT id, step, at, recorded_at, codes, codes_sealed FROM police_report_steps
WHERE report_id = $1 AND step IN ('disposed', 'township_notified') AND NOT codes ? 'counted'
"""
_STAGE: Final = """
SELECT s.codes ->> 'stage' FROM police_report_steps s
WHERE s.report_id = $1 AND s.step = 'investigated' AND s.agency_id = ANY ($2::uuid[])
    AND NOT EXISTS (SELECT FROM police_report_steps f WHERE f.report_id = $1
        AND f.step = 'forwarded' AND f.recorded_at >= s.recorded_at)
ORDER BY s.recorded_at DESC, s.id DESC LIMIT 1
"""
_TOLD: Final = """
SELECT data->>'township_agency_id' FROM events WHERE subject_id = $1 AND wire_name = $2
ORDER BY id DESC LIMIT 1
"""
_OPENED: Final = "SELECT EXISTS (SELECT FROM duties WHERE rule = 'REP-14' AND subject_id = $1)"
_REPORTS: Final = f"""
SELECT {COLUMNS}
FROM police_reports r
WHERE r.reporter_agency_id = $1 AND r.superseded_by_id IS NULL AND r.filed_at >= $4
  AND (r.child_id = $2 OR (r.child_id IS NULL AND (r.visit_id = $3 OR r.stated_child_id = $2)))
ORDER BY r.filed_at, r.id
"""
_VISITS: Final = """
SELECT v.id, v.home_county FROM police_reports r JOIN visits v ON v.agency_id = r.reporter_agency_id
    AND v.child_id IN (r.child_id, r.stated_child_id)
WHERE r.id = $1 AND v.abnormal
UNION SELECT v.id, v.home_county FROM police_reports r JOIN visits v
    ON v.agency_id = r.reporter_agency_id AND v.id = r.visit_id
WHERE r.id = $1 AND v.abnormal
UNION SELECT d.subject_id, d.home_county FROM police_reports r JOIN duties d
    ON d.bearer_agency_id = r.reporter_agency_id AND d.rule = 'REP-01'
    AND d.state = 'discharged' AND d.discharged_by = r.id
WHERE r.id = $1
"""
# What somebody wrote into a file, or answered to a referral, is a finding as well: of the children
# of a report, and of those whose duty it discharged.
_WRITTEN: Final = """
SELECT e.id, (e.data->>'change_id')::uuid AS change_id, e.home_county, e.region_code,
       e.region_code AS visited_in, a.id AS agency_id, a.kind,
       coalesce((e.data->>'child_id')::uuid, e.subject_id) AS child_id,
       e.data, e.codes_sealed, e.occurred_at AS received_at,
       e.wire_name = 'referrals.situation_found' AS in_confidence
FROM events e JOIN agencies a ON a.id = (e.data->>'agency_id')::uuid
WHERE e.wire_name IN ('children.situation_found', 'referrals.situation_found')
"""
_ONE_WRITTEN: Final = f"{_WRITTEN} AND e.id = $1"
_OF_REPORT: Final = f"""{_WRITTEN}
    AND a.id = (SELECT reporter_agency_id FROM police_reports WHERE id = $1)
    AND e.subject_id = ANY (ARRAY(
        WITH child AS (
            SELECT unnest(ARRAY[child_id, stated_child_id]) AS id FROM police_reports WHERE id = $1
            UNION SELECT child_id FROM duties
            WHERE rule = 'REP-01' AND state = 'discharged' AND discharged_by = $1)
        SELECT id FROM child UNION ALL
        SELECT r.id FROM referrals r JOIN child ON r.child_id = child.id))
"""


@spine.on_wire_names(VisitRecorded.wire_name, VisitCorrected.wire_name, VisitTakenBack.wire_name)
async def tell_finder(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether a visit found what its agency must report (REP-01). Said again, it opens
    nothing anew.
    """
    visit = await tx.connection.fetchrow(_VISIT, announced.subject_id, announced.home_county)
    if visit is not None:
        new = announced.wire_name == VisitRecorded.wire_name
        await _tell_finder(tx, visit, _abnormal(tx, visit), new=new)
        return
    about = {name: getattr(announced, name) for name in ("subject_id", "home_county")}
    about |= {"region_code": announced.region_code, "child_id": announced.data["child_id"]}
    await spine.publish(tx, finding_events.ReportNotOwed(told_to=(), **about))


@spine.on_wire_names(SituationFound.wire_name, referred.SituationFound.wire_name)
async def tell_writer(tx: Tx, announced: spine.Announced) -> None:
    """Announce what somebody wrote into a file, or answered, and must report (REP-01)."""
    for written in await _written(tx, _ONE_WRITTEN, announced.event_id):
        await _tell_finder(tx, written, {*written["types"]}, new=True)


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.ReportFiled,
            events.ReportSuperseded,
            events.ChildIdentified,
            events.IdentificationWithdrawn,
        )
    )
)
async def tell_reporter(tx: Tx, announced: spine.Announced) -> None:
    """Announce of all that was found and a report may answer, or did, whether it is owed still."""
    report_id = announced.subject_id
    for found in await tx.connection.fetch(_VISITS, report_id):
        visit = await tx.connection.fetchrow(_VISIT, found["id"], found["home_county"])
        await _tell_finder(tx, visit, _abnormal(tx, visit), heard_of=report_id)
    for written in await _written(tx, _OF_REPORT, report_id):
        await _tell_finder(tx, written, {*written["types"]}, heard_of=report_id)


async def _written(tx: Tx, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    """Return what somebody wrote, as if a visit had found it. Of whom was erased it is nothing."""
    rows = await with_codes(tx, await tx.connection.fetch(statement, *arguments))
    return [{**row, "id": row["change_id"], "types": row["data"].get("found", ())} for row in rows]


def _abnormal(tx: Tx, visit: asyncpg.Record) -> set[str]:
    return {each["type"] for each in visits.found(tx, visit) if each["abnormal"]}


async def _tell_finder(
    tx: Tx,
    visit: Mapping[str, Any],
    types: set[str],
    *,
    new: bool = False,
    heard_of: UUID | None = None,
) -> None:
    about: dict[str, Any] = {
        "subject_id": visit["id"],
        **{name: visit[name] for name in ("home_county", "region_code", "child_id")},
    }
    day = local_date(visit["received_at"])
    place = (visit["visited_in"], day)
    ways = {each["code"]: {*each["handled_as"]} for each in _situations(*place)}
    alike = [{*each["reported"]} for each in _required(*place) if "reported" in each]
    found = types & ways.keys()
    if not found or rules.bound_as(visit["kind"], found, _bearers(*place)) is None:
        if new:  # most visits: nothing is owed that could be taken back
            return
        await spine.publish(tx, finding_events.ReportNotOwed(told_to=(), **about))
        return
    since = beginning(min(visit.get("visited_on") or day, day))
    whose = (visit["agency_id"], visit["child_id"], visit["id"])
    filed = await fetching.reports(tx, _REPORTS, *whose, since)
    made = _reporting(tx, found, filed, ways, alike)
    if made is None or new:
        to_finder = {"agency_id": visit["agency_id"], "told_to": (visit["agency_id"],)}
        to_finder |= {"in_confidence": visit.get("in_confidence", False)}
        to_finder |= {"found": sorted(found)}
        await spine.publish(tx, finding_events.ReportOwed(report_id=heard_of, **to_finder, **about))
    if made is not None:
        await spine.publish(tx, finding_events.ReportMade(report_id=made, told_to=(), **about))


def _reporting(
    tx: Tx,
    found: Iterable[str],
    filed: Iterable[Mapping[str, Any]],
    ways: Mapping[str, set[str]],
    alike: Sequence[set[str]],
) -> UUID | None:
    """Return the report with which all that was found is reported: each by a situation that may be
    handled in one of its `ways`, or by words that are in no list. What asks for a measure of its
    own, only by one of those that ask for it `alike` (REP-22).
    """
    left = {*found}
    for report in filed:
        asked = queries.reported(report)
        kinds = {kind for told in asked.answers.values() for kind in told}
        told = {*report["situations"]}
        unlike = {each for one in alike if told.isdisjoint(one) for each in one}
        left = {each for each in left if each in unlike or not ways[each] & kinds}
        left = set() if asked.others else left
        if not left:
            done: UUID = report["id"]
            return done
    return None


@spine.on_wire_names(
    events.ReportDisposed.wire_name,
    events.ReportAcknowledged.wire_name,
    case_events.OmissionsJudged.wire_name,
)
async def tell_police(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether all that was reported has its answer, whether the reasons for what was left
    out are judged, whether all is said of it (REP-08…13) and whether the township is to be told
    (REP-14), as the report says now.
    """
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    done = report["handled_at"] is not None
    in_charge = {"police_agency_id": report["police_agency_id"]}
    if done:
        await announce(tx, case_events.SituationsAnswered, report, only=())
    else:
        await announce(tx, case_events.SituationsUnanswered, report, only=(), **in_charge)
    if report["omission_step_id"] is not None:
        await announce(tx, case_events.OmissionsUnjudged, report, **in_charge)
    else:
        await announce(tx, case_events.OmissionsSettled, report, only=())
    if announced.wire_name == events.ReportDisposed.wire_name and report["relieved_at"] is None:
        await _tell_of_notice(tx, report)
        if queries.unsaid(report, await fetching.steps(tx, _STEPS, report["id"])):
            await announce(tx, events.ParticularsOwed, report, **in_charge)
        else:
            await announce(tx, events.ParticularsGiven, report, only=())


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (events.ReportForwarded, events.SuspectNamed, events.SuspectWithdrawn)
    )
)
async def tell_investigator(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether the case is over by the word of the police who have the report now (REP-20),
    since they got it last; none of whom it speaks against.
    """
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    told = {report["police_agency_id"], *report["also_told"]} - {None, *report["hidden_from"]}
    stage = await tx.connection.fetchval(_STAGE, report["id"], list(told))
    if stage in {None, investigating.GOES_ON}:
        in_charge = {"police_agency_id": report["police_agency_id"]}
        await announce(tx, case_events.CaseGoesOn, report, only=(), **in_charge)
    else:
        await announce(tx, case_events.CaseEnded, report, only=())


async def _tell_of_notice(tx: Tx, report: Report) -> None:
    """Announce whether the township was told of all that was done. Said again, it opens nothing
    anew.
    """
    before = await tx.connection.fetchval(_TOLD, report["id"], events.TownshipNotified.wire_name)
    void = before is not None and report["township_agency_id"] is None
    steps = await fetching.steps(tx, _STEPS, report["id"])
    told = not void and rules.is_told(steps, report["found_at"])
    if not told or not await tx.connection.fetchval(_OPENED, report["id"]):
        in_charge = report["police_agency_id"]
        await announce(tx, events.NoticeOwed, report, police_agency_id=in_charge)
    if told:
        await announce(tx, events.NoticeGiven, report, only=())


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.TownshipNotified,
            events.TownshipNoticeVoid,
            events.AssessmentRecorded,
            events.ReportClosed,
            events.ReportReopened,
            events.ReportSuperseded,
            events.IdentificationWithdrawn,
        )
    )
)
async def tell_assessor(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether whom the police told owes the assessment (REP-15), and that they told all
    (REP-14), as the report says now. Said again, it opens nothing anew.
    """
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    if announced.wire_name == events.TownshipNotified.wire_name and report["disposed_as"]:
        await _tell_of_notice(tx, report)
    if report["assessed_at"] is not None:
        found = findings.assessment(report, await findings.steps(tx, report))
        whole = found is not None and findings.is_together(found)
        await announce(tx, events.AssessmentGiven, report, only=(), given=whole)
    elif (
        report["township_agency_id"] is None
        or report["closed_at"] is not None
        or report["superseded_by_id"] is not None
    ):
        await announce(tx, events.AssessmentNotOwed, report, only=())
    else:
        asked = {"township_agency_id": report["township_agency_id"]}
        await announce(tx, events.AssessmentOwed, report, **asked)


@spine.on_wire_names(
    *(kind.wire_name for kind in (events.ReportFiled, events.ChildIdentified, events.SuspectNamed))
)
async def keep_from_accused(tx: Tx, announced: spine.Announced) -> None:
    """Ask another for what was arranged after a report of somebody against whom it speaks now."""
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    if report is not None and (them := report["hidden_from"]):
        await answering.keep_from(tx, report["id"], them)


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.AssessmentRecorded,
            events.ServicesArranged,
            events.ChildIdentified,
            events.IdentificationWithdrawn,
        )
    )
)
async def refer_services(tx: Tx, announced: spine.Announced) -> None:
    """Refer the child of a report to the agencies that are to help it (REP-16), or, if they are
    none of ours, to whom it was arranged by; for social assistance to civil affairs (REP-17), and
    likewise where nobody guards it (REP-19), once it is known who it is. Said again, it asks
    nothing anew.
    """
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    asked = await helping.needed(tx, report) if report["child_id"] else []
    await answering.keep_only(tx, report["id"], [each.id for each in asked])
    if asked:
        child, hidden_from = (report["child_id"], report["child_county"]), report["hidden_from"]
        await opening.refer(tx, *child, asked, hidden_from)
        await hidden.note(tx, report["id"])


@spine.on_wire_names(
    *(
        kind.wire_name
        for kind in (
            events.AssessmentRecorded,
            events.ServicesArranged,
            events.ReportClosed,
            events.ReportReopened,
            events.ReportSuperseded,
            events.IdentificationWithdrawn,
            events.SuspectNamed,
        )
    )
)
async def tell_arranger(tx: Tx, announced: spine.Announced) -> None:
    """Announce whether who assessed the child owes it services (REP-16), as the report says now.
    Said again, it opens nothing anew.
    """
    [report] = await fetching.reports(tx, _REPORT, announced.subject_id)
    journal = await findings.steps(tx, report)
    last = findings.assessment(report, journal)
    over = report["closed_at"] is not None or report["superseded_by_id"] is not None
    # Found well since, it is on the record for good that they arranged what was needed before.
    unwell = findings.assessment(report, [each for each in journal if not findings.is_well(each)])
    if unwell is not None and findings.is_answered(report, unwell, journal):
        await announce(tx, events.ServicesGiven, report, only=())
    elif last is None or over or findings.is_well(last):
        await announce(tx, events.ServicesNotOwed, report, only=())
    else:
        offices = await jurisdiction.offices(tx, report)
        told = offices.told(hidden=report["hidden_from"])
        asked = last["agency_id"] if last["agency_id"] in told else offices.township
        await announce(tx, events.ServicesOwed, report, only=told, assessor_agency_id=asked)
