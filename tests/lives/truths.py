"""What must be true of every life, whatever happened: asked after each deed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from tests.lives.world import World, rows

POSITIVE = ("present", "late", "left_early")
"""Statements by which a child was seen at school."""


async def no_evidence_is_lost(world: World) -> list[str]:
    """Whoever had the authority when it happened was not refused, and it is stored with the child;
    what is of nobody known is kept too.
    """
    wrong = [f"refused: {sent}" for sent in world.sent if sent.status >= 400]
    wrong += [f"asked back: {s}" for s in world.sent if s.kind == "visit" and s.status == 202]
    visits = {row["id"] for row in await rows(world, "SELECT id FROM visits")}
    reports = {row["id"] for row in await rows(world, "SELECT id FROM police_reports")}
    events = await rows(world, "SELECT agency_id, source, event_id FROM attendance_events")
    waiting = await rows(world, "SELECT kind, agency_id, sender_ref FROM unresolved_evidence")
    held = [(row["kind"], row["agency_id"], row["sender_ref"]) for row in waiting]
    stored: dict[str, set[tuple[Any, ...]]] = {
        "visit": {(each,) for each in visits},
        "report": {(each,) for each in reports},
        "absence": {tuple(row.values()) for row in events},
        "stray visit": {(UUID(ref),) for kind, _, ref in held if kind == "visit"},
        "stray absence": {
            (agency, *ref.split(" ")) for kind, agency, ref in held if kind == "attendance"
        },
    }
    return wrong + [f"gone: {sent}" for sent in world.sent if sent.key not in stored[sent.kind]]


async def every_open_alert_has_an_owner(world: World) -> list[str]:
    """The school the child is enrolled at now, else the one that missed it, which can act."""
    wrong = []
    alerts = await rows(
        world,
        "SELECT id, child_id, school_id FROM dropout_alerts"
        " WHERE state NOT IN ('returned', 'closed')",
    )
    for alert in alerts:
        life = next(each for each in world.children if each.id == alert["child_id"])
        enrolled = life.school(world.today)
        if enrolled is not None and alert["school_id"] != enrolled:
            wrong.append(f"kept by a school the child has left: {alert}")
        teacher = world.teachers[alert["school_id"]]
        read = await world.call(teacher, "GET", f"dropout-alerts/{alert['id']}")
        if read.status_code != 200 or "recordReturn" not in read.json()["permitted"]:
            wrong.append(f"its owner cannot act: {alert} {read.text[:200]}")
    children = [alert["child_id"] for alert in alerts]
    return wrong + [f"two alerts: {child}" for child in children if children.count(child) > 1]


_ENDED = """
SELECT a.id, a.child_id, a.end_reason, a.returned_on, a.first_absent_day,
    EXISTS (SELECT 1 FROM attendance_slots s WHERE s.child_id = a.child_id
            AND s.category = ANY ($1::text[])
            AND s.school_day >= a.first_absent_day)
    OR EXISTS (SELECT 1 FROM attendance_rolls l JOIN child_enrolments e ON e.school_id = l.agency_id
               WHERE e.child_id = ANY (l.listed) AND e.child_id = a.child_id
               AND l.school_day >= a.first_absent_day
               AND e.since <= l.school_day AND (e.until IS NULL OR e.until > l.school_day)) AS seen,
    EXISTS (SELECT 1 FROM attendance_events e WHERE e.child_id = a.child_id
            AND e.category = 'excused') AS leave,
    EXISTS (SELECT 1 FROM audit_entries w WHERE w.subject_id = a.id AND w.decision = 'allowed'
            AND w.operation = 'recordReturn') AS recorded,
    EXISTS (SELECT 1 FROM dropout_alerts o WHERE o.child_id = a.child_id AND o.id <> a.id
            AND o.end_reason IS DISTINCT FROM 'continued'
            AND o.last_absent_day >= a.first_absent_day) AS counted_on
FROM dropout_alerts a WHERE a.state IN ('returned', 'closed')
"""


async def no_alert_ends_in_silence(world: World) -> list[str]:
    """A child is back when it was seen, or somebody with a name says so (EDU-08, 销号)."""
    proof = {"attended": "seen", "recorded": "recorded", "excused": "leave"}
    proof |= {"continued": "counted_on"}
    return [
        f"ended without a record: {alert}"
        for alert in await rows(world, _ENDED, [*POSITIVE])
        if not alert[proof[alert["end_reason"]]]
    ]


_IN_HAND = """
SELECT r.id, r.police_agency_id, r.also_told, r.hidden_from, r.routing,
    EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.ordering_key = r.id
            AND d.agency_id = r.police_agency_id) AS on_its_way,
    (SELECT count(*) FROM agencies p WHERE p.id = r.police_agency_id AND p.active
        AND p.kind = 'police') AS police
FROM police_reports r WHERE r.relieved_at IS NULL AND r.superseded_by_id IS NULL
"""


async def every_report_is_in_somebodys_hands(world: World) -> list[str]:
    """Police are in charge who exist and are not those it speaks against; what is said to be on its
    way is; what is not can be seen by all of them.
    """
    wrong = []
    for report in await rows(world, _IN_HAND):
        told = {report["police_agency_id"], *report["also_told"]}
        if not report["police"]:
            wrong.append(f"in nobody's hands: {report}")
        if told & {*report["hidden_from"]}:
            wrong.append(f"told to those it speaks against: {report}")
        if report["routing"] == "routed" and not report["on_its_way"]:
            wrong.append(f"not on its way: {report}")
    return wrong


TRUTHS: tuple[Callable[[World], Any], ...] = (
    no_evidence_is_lost,
    every_open_alert_has_an_owner,
    no_alert_ends_in_silence,
    every_report_is_in_somebodys_hands,
)
