"""The engine: duties open and are discharged by evidence. Run by the worker only.

Everything here may run twice with the same result: a duty is one row per rule, period and subject,
a deed one row per rule.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from app.access.roles import role
from app.agencies import queries as agencies
from app.core.clock import local_date
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events
from app.core.jobs.events import Announced
from app.duties.discharging import FITS, discharge
from app.duties.periodic import follow_children, open_missed, open_period
from app.duties.rulebook import rules
from app.duties.rules import ONCE, Rule
from app.policy import queries as policy
from app.regions import queries as regions
from app.regions.rules import Level, level_of

_OPEN_ONE: Final = """
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role,
    bearer_agency_id, priority, categories, priority_flags, told_to, period, counts_from,
    opened_at, due_at, overseer_id, state, version)
SELECT $1, $2, c.id, $4, $5, coalesce(nullif(c.region_code, 0), $6), $7, $8,
    coalesce(cardinality(c.priority_flags) > 0, false), coalesce(c.categories, '{}'),
    coalesce(c.priority_flags, '{}'), $9, $10, $11, $12, $13, $14, 'open', 1
FROM (SELECT 1) AS one LEFT JOIN children c ON c.home_county = $5 AND c.id = $3
ON CONFLICT (home_county, rule, period, subject_id) DO UPDATE
SET child_id = excluded.child_id, region_code = excluded.region_code,
    bearer_role = excluded.bearer_role, bearer_agency_id = excluded.bearer_agency_id,
    stands_in_for = NULL,
    priority = excluded.priority, categories = excluded.categories,
    priority_flags = excluded.priority_flags,
    told_to = excluded.told_to, counts_from = excluded.counts_from,
    opened_at = excluded.opened_at, due_at = excluded.due_at, overseer_id = excluded.overseer_id,
    late_before_at = coalesce(duties.late_before_at, duties.overdue_at),
    state = 'open', overdue_at = NULL, discharged_at = NULL, discharged_by = NULL,
    discharged_on = NULL, version = duties.version + 1,
    waiver_at = NULL, waiver_by = NULL, waiver_staff_id = NULL, waiver_reason_sealed = NULL,
    waived_at = NULL, waived_by = NULL
WHERE (duties.child_id <> excluded.child_id AND duties.opened_at <= excluded.opened_at)
   OR ($15 AND duties.state = 'cancelled' AND duties.opened_at < excluded.opened_at)
   OR (duties.state = 'discharged' AND EXISTS (
        SELECT FROM duty_evidence e
        WHERE e.rule = duties.rule AND e.home_county = duties.home_county
            AND e.evidence_id = duties.discharged_by AND e.event_id < $16))
"""
"""Of a file that lies nowhere, which is only stored, it is owed where it happened. Again, it
changes nothing; unless what it is about turned out to be another child's since, or was taken back
and came anew; or what opens it corrects what had discharged it ($16)."""

_HAND_OVER: Final = """
UPDATE duties
SET bearer_role = $8, bearer_agency_id = $4, stands_in_for = NULL,
    told_to = $5, due_at = coalesce($6, due_at),
    overseer_id = $7, version = version + 1,
    state = CASE WHEN $6 > due_at AND state IN ('overdue', 'cancelled') THEN 'open' ELSE state END,
    late_before_at = CASE WHEN $6 > due_at THEN coalesce(late_before_at, overdue_at)
                          ELSE late_before_at END,
    overdue_at = CASE WHEN $6 > due_at THEN NULL ELSE overdue_at END
WHERE rule = $1 AND home_county = $2 AND subject_id = $3
  AND (state IN ('open', 'overdue') OR $6 > due_at)
  AND (bearer_agency_id, told_to, overseer_id, due_at)
      IS DISTINCT FROM ($4, $5, $7, coalesce($6, due_at))
"""

_CANCEL_ONE: Final = """
UPDATE duties SET state = 'cancelled', version = version + 1,
    discharged_at = NULL, discharged_by = NULL, discharged_on = NULL
WHERE rule = $1 AND home_county = $2 AND subject_id = $3 AND (state = 'open' OR $4)
  AND state <> 'cancelled' AND opened_at <= $5
"""

# Open already, it was resumed before what had cancelled it was heard: that comes too late then.
_RESUME: Final = """
UPDATE duties SET state = 'open', opened_at = $4, due_at = greatest(due_at, $5), bearer_role = $6,
    bearer_agency_id = $7, stands_in_for = NULL, overseer_id = $8,
    version = version + 1,
    late_before_at = coalesce(late_before_at, overdue_at), overdue_at = NULL
WHERE rule = $1 AND home_county = $2 AND subject_id = $3 AND state IN ('open', 'cancelled')
  AND opened_at < $4
"""

_NOTE: Final = """
INSERT INTO duty_evidence
    (rule, evidence_id, home_county, match_id, happened_on, counts, event_id, stand_in)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (rule, evidence_id, home_county) DO UPDATE
SET happened_on = excluded.happened_on, counts = excluded.counts, event_id = excluded.event_id,
    match_id = excluded.match_id, stand_in = excluded.stand_in
WHERE duty_evidence.event_id < excluded.event_id
"""

_WITHDRAW: Final = f"""
UPDATE duties d
SET state = CASE WHEN d.overdue_at IS NULL THEN 'open' ELSE 'overdue' END,
    discharged_at = NULL, discharged_by = NULL, discharged_on = NULL, version = d.version + 1,
    bearer_role = coalesce($6, d.stands_in_for, d.bearer_role), stands_in_for = NULL,
    bearer_agency_id = coalesce($7, d.bearer_agency_id)
WHERE d.rule = $1 AND d.home_county = $2 AND d.state = 'discharged' AND d.discharged_by = $3
  AND d.{{match}} = $4 AND ($8::text IS NULL OR d.period = $8)
  AND NOT EXISTS (SELECT 1 FROM duty_evidence e
                  WHERE e.evidence_id = d.discharged_by AND e.match_id = d.{{match}}
                    AND {FITS.format(today="$5")})
"""
"""What was passed on after it was done is owed by whoever got it, if the event says who that is;
what another did for an empty post by the post, which may be held by now.
"""


# Who stands in may be found just now: whoever comes second sees what the first wrote.
_HELD: Final = """
SELECT FROM duties d WHERE d.rule = $1 AND d.home_county = $2 AND d.{match} = $3
  AND d.state IN ('open', 'overdue') FOR UPDATE
"""

_EACH: Final = """
    SELECT min(home_county) FROM {rows}
    UNION ALL SELECT (SELECT min(home_county) FROM {rows} AND home_county > code) FROM {counties}
    WHERE code IS NOT NULL
"""
_OWED: Final = "duties WHERE state IN ('open', 'overdue')"
_COUNTIES: Final = f"""
WITH RECURSIVE filed (code) AS ({_EACH.format(rows="children WHERE true", counties="filed")}),
    owing (code) AS ({_EACH.format(rows=_OWED, counties="owing")})
SELECT code FROM filed WHERE code IS NOT NULL UNION SELECT code FROM owing WHERE code IS NOT NULL
ORDER BY 1
"""
"""From one county to the next, by index: not a row is read of what lies between."""


async def counties(tx: Tx) -> Sequence[int]:
    """Return the counties that opened a file, or where something is owed."""
    return [row["code"] for row in await tx.connection.fetch(_COUNTIES)]


async def weigh_event(tx: Tx, announced: Announced) -> None:
    """Open and discharge what the rules say an event opens and discharges, where its place is now:
    the code may have been replaced since it was announced.
    """
    place = await regions.current(tx, announced.region_code, tx.today)
    announced = replace(announced, region_code=place or announced.region_code)
    # Evidence and duty of one child may be worked off by two workers at once, neither seeing the
    # other's row: they take turns.
    child_id = announced.data.get("child_id") or announced.subject_id
    await tx.connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", f"duties/{child_id}"
    )
    opening = [rule for rule in rules().values() if announced.wire_name in rule.opens_on]
    if opening and _shielded(announced) is not None:
        # Whoever hides it takes this, then the rows of what is owed; so not the other way round.
        await tx.connection.execute(hiding.ONE_AT_A_TIME, [announced.subject_id])
    if any(rule.opens.every for rule in opening):
        county, child = announced.home_county, announced.subject_id
        await open_period(tx, home_county=county, children=[child])
        await follow_children(tx, county, child)
        if said := announced.data.get("held_since"):
            since = {code: date.fromisoformat(day) for code, day in said.items()}
            await open_missed(tx, county, child, announced.data, since)
    for rule in rules().values():
        if rule in opening and not rule.opens.every:
            await _open_one(tx, rule, announced)
        if announced.wire_name in rule.evidence.told_by:
            await _weigh_evidence(tx, rule, announced)
        if announced.wire_name == rule.bearer.passed_on_by:
            await _hand_over(tx, rule, announced)
        if announced.wire_name in rule.cancelled_by:
            about = (rule.code, announced.home_county, announced.subject_id)
            mistaken = announced.wire_name == rule.evidence.taken_back_by
            await tx.connection.execute(_CANCEL_ONE, *about, mistaken, announced.occurred_at)
        if announced.wire_name in rule.resumed_by:
            await _resume(tx, rule, announced)


def _shielded(announced: Announced) -> tuple[UUID, ...] | None:
    """Return the only agencies that may know of a duty, if an event keeps it from all others."""
    shields = events.kinds()[announced.wire_name].shields or announced.data.get("in_confidence")
    return announced.told_to if shields else None


async def _open_one(tx: Tx, rule: Rule, announced: Announced) -> None:
    opened_at = announced.occurred_at
    said = announced.data.get(rule.opens.arose_on or "")
    arose_on = date.fromisoformat(said) if said else local_date(opened_at)
    child = announced.data.get("child_id")
    owed_by, bearer = await _bearer(tx, rule, announced)
    told_to = _shielded(announced)
    await tx.connection.execute(
        _OPEN_ONE,
        new_id(),
        rule.code,
        UUID(child) if child else None,
        announced.subject_id,
        announced.home_county,
        announced.region_code,
        owed_by,
        bearer,
        told_to,
        ONCE,
        rule.counts_from(arose_on),
        opened_at,
        rule.due_at(opened_at, announced.region_code, policy.values(), announced.data),
        await _overseer(tx, rule, bearer),
        rule.evidence.taken_back_by is not None,
        announced.event_id if rule.evidence.corrected_by == announced.wire_name else None,
    )
    if told_to is not None:
        await hiding.note(tx.connection, [announced.subject_id])
    key = announced.subject_id
    if rule.evidence.match == "child_id" and child:
        key = UUID(child)
    await discharge(tx, rule, f"d.{rule.evidence.match} = $3", key)


async def _hand_over(tx: Tx, rule: Rule, announced: Announced) -> None:
    """Let another agency owe it; by a deadline of its own it owes it anew, whatever was done."""
    due_at = announced.data.get(rule.due.field or "")
    if due_at:
        await _weigh_evidence(tx, rule, announced)
    owed_by, bearer = await _bearer(tx, rule, announced)
    await tx.connection.execute(
        _HAND_OVER,
        rule.code,
        announced.home_county,
        announced.subject_id,
        bearer,
        _shielded(announced),
        datetime.fromisoformat(due_at) if due_at else None,
        await _overseer(tx, rule, bearer),
        owed_by,
    )


async def _resume(tx: Tx, rule: Rule, announced: Announced) -> None:
    """Let what was cancelled be owed again, by whoever keeps by now what it is about."""
    opened_at = announced.occurred_at
    owed_by, bearer = await _bearer(tx, rule, announced)
    await tx.connection.execute(
        _RESUME,
        rule.code,
        announced.home_county,
        announced.subject_id,
        opened_at,
        rule.due_at(opened_at, announced.region_code, policy.values(), announced.data),
        owed_by,
        bearer,
        await _overseer(tx, rule, bearer),
    )
    await discharge(tx, rule, f"d.{rule.evidence.match} = $3", announced.subject_id)


async def _overseer(tx: Tx, rule: Rule, bearer: UUID | None) -> UUID | None:
    """Return the office that looks after the agency that owes it, wherever the child lives."""
    if rule.bearer.overseen_by is None or bearer is None:
        return None
    return await agencies.overseeing(tx, min(role(rule.bearer.overseen_by).agency_kinds), bearer)


async def _bearer(tx: Tx, rule: Rule, announced: Announced) -> tuple[str, UUID | None]:
    """Return the role that owes it, and the agency if it is one."""
    roles = (rule.bearer.role, *rule.bearer.or_roles)
    if not rule.bearer.agency_fields:
        reaching = (each for each in roles if _reaches(each, announced.region_code))
        return next(reaching, roles[-1]), None
    kinds = {kind: name for name in roles for kind in role(name).agency_kinds}
    named = [announced.data[name] for name in rule.bearer.agency_fields if announced.data.get(name)]
    found = await tx.connection.fetchrow(
        "SELECT id, kind FROM agencies WHERE id = ANY($1::uuid[]) AND kind = ANY($2::text[])"
        " ORDER BY array_position($1::uuid[], id) LIMIT 1",
        [*named, *(_shielded(announced) or ())],
        list(kinds),
    )
    if found is not None:
        return kinds[found["kind"]], found["id"]
    if _shielded(announced) is not None:  # the nearest may be the one that must not know (AZ-8)
        return rule.bearer.role, None
    kind = min(role(rule.bearer.role).agency_kinds)
    return rule.bearer.role, await agencies.serving(tx, kind, announced.region_code)


def _reaches(role_code: str, place: int) -> bool:
    """Tell whether a post of a role may be one for a place: a township's is for none above it."""
    highest = [*Level]
    own = highest.index(level_of(place))
    return any(level in highest[: own + 1] for level in role(role_code).levels)


async def _weigh_evidence(tx: Tx, rule: Rule, announced: Announced) -> None:
    evidence, data = rule.evidence, announced.data
    passed_on = announced.wire_name == rule.bearer.passed_on_by
    match_id = announced.subject_id if evidence.match == "subject_id" else UUID(data["child_id"])
    deed_id = evidence.deed_id(data, announced.subject_id)
    is_one = not passed_on and announced.wire_name != evidence.taken_back_by
    await tx.connection.execute(
        _NOTE,
        rule.code,
        deed_id,
        announced.home_county,
        match_id,
        evidence.happened_on(data, announced.occurred_at),
        is_one and evidence.counts(data),
        announced.event_id,
        evidence.stand_in(data) if is_one else None,
    )
    if passed_on or announced.wire_name != evidence.event:
        named = any(data.get(name) for name in rule.bearer.agency_fields)
        owed_by = await _bearer(tx, rule, announced) if named else (None, None)
        # What is emptied again on a day was done all the same in the periods before.
        period = None if evidence.on else rule.period_of(local_date(announced.occurred_at))
        await tx.connection.execute(
            _WITHDRAW.format(match=evidence.match),
            rule.code,
            announced.home_county,
            deed_id,
            match_id,
            tx.today,
            *owed_by,
            period and period.code,
        )
    if evidence.of_stand_in:
        held = _HELD.format(match=evidence.match)
        await tx.connection.execute(held, rule.code, announced.home_county, match_id)
    await discharge(tx, rule, f"d.{evidence.match} = $3", match_id)
