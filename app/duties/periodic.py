"""What is owed anew in every period, for each of some children."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from app.access.roles import role
from app.agencies.queries import nearest_in_sql
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.duties.discharging import discharge
from app.duties.periods import Period
from app.duties.queries import chosen
from app.duties.rulebook import rules
from app.duties.rules import Rule

# A time-ordered UUID (RFC 9562, version 7): the clock before the random part of a version 4.
_NEW_ID: Final = """encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send((extract(epoch FROM {now}) * 1000)::bigint) FROM 3)
    FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid"""

_Since = Mapping[str, date]

SET: Final = 1_000
"""How many children are looked at in one transaction: no statement's work grows with the county."""

_NEXT: Final = """
SELECT id FROM children WHERE home_county = $1 AND id > $2 ORDER BY id LIMIT $3
"""

# Who stood in for the post of another place, or before it was owed again, may not by now.
_ANEW: Final = """duties.region_code <> excluded.region_code
        OR duties.state IN ('cancelled', 'lapsed')"""

_OTHERWISE: Final = """{had}.state <> 'discharged' AND ({had}.state IN ('cancelled', 'lapsed')
    OR ({had}.region_code, {had}.categories, {had}.priority_flags, {had}.bearer_agency_id)
       IS DISTINCT FROM ({now}.region_code, {now}.categories, {now}.priority_flags, {agency}))"""

# Each by its key, with OFFSET 0: a plan made when there were few would look for each among all that
# is owed in the county. What is as it was is read, and not locked.
_OF_CHILD: Final = """LATERAL (
        SELECT * FROM duties d WHERE d.home_county = {county} AND d.rule = {rule}
            AND d.period = {period} AND d.subject_id = n.id OFFSET 0) d"""

# Who oversees a school is looked up once a school, not once a child.
_OPEN_FOR_CHILDREN: Final = f"""
WITH owed AS MATERIALIZED (
    SELECT c.* FROM unnest({{children}}::uuid[]) AS n (id) CROSS JOIN LATERAL (
        SELECT c.id, c.home_county, c.region_code, c.categories, c.priority_flags,
               {{agency}} AS agency
        FROM children c WHERE c.home_county = {{county}} AND c.id = n.id AND {{chosen}} OFFSET 0) c
    LEFT JOIN {_OF_CHILD} ON true
    WHERE d.id IS NULL OR {_OTHERWISE.format(had="d", now="c", agency="c.agency")}
), overseen AS MATERIALIZED (
    SELECT a.id, {nearest_in_sql("{overseer}", "a.region_code")} AS office
    FROM agencies a WHERE {{overseer}} IS NOT NULL AND a.id IN (SELECT agency FROM owed)
)
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role,
    bearer_agency_id, overseer_id, priority, categories, priority_flags, period, counts_from,
    counts_until, opened_at, due_at, state, version)
SELECT {{new_id}}, {{rule}}, c.id, c.id, c.home_county, c.region_code, {{bearer}},
    c.agency, o.office, cardinality(c.priority_flags) > 0, c.categories, c.priority_flags,
    {{period}}, {{first}}, {{last}}, {{now}}, {{due}}, 'open', 1
FROM owed c LEFT JOIN overseen o ON o.id = c.agency
ON CONFLICT (home_county, rule, period, subject_id) DO UPDATE
SET region_code = excluded.region_code, priority = excluded.priority,
    bearer_agency_id = excluded.bearer_agency_id, overseer_id = excluded.overseer_id,
    bearer_role = CASE WHEN {_ANEW} THEN excluded.bearer_role ELSE duties.bearer_role END,
    stands_in_for = CASE WHEN {_ANEW} THEN NULL ELSE duties.stands_in_for END,
    categories = excluded.categories, priority_flags = excluded.priority_flags,
    state = CASE WHEN duties.state IN ('cancelled', 'lapsed') THEN 'open' ELSE duties.state END,
    lapsed_at = NULL, version = duties.version + 1
WHERE {_OTHERWISE.format(had="duties", now="excluded", agency="excluded.bearer_agency_id")}
"""

# A birthday, a move or a policy takes nothing off the record: what was owed and not done stays.
_GONE: Final = f"""
SELECT d.id, d.version, d.home_county
FROM unnest({{children}}::uuid[]) AS n (id) CROSS JOIN {_OF_CHILD}
WHERE d.state = 'open' AND NOT EXISTS (
    SELECT FROM children c WHERE c.home_county = d.home_county AND c.id = n.id AND {{chosen}}
    OFFSET 0)
"""
_LAPSE: Final = """
UPDATE duties d SET state = 'lapsed', lapsed_at = $1, version = d.version + 1
FROM unnest($2::uuid[], $3::int[], $4::bigint[]) AS gone (id, version, home_county)
WHERE d.home_county = gone.home_county AND d.id = gone.id AND d.version = gone.version
"""

# What nobody knew of in its period is owed where the child was when that ended (ADR 19), and there
# it stays; what was opened then is as it was.
_OPEN_BEFORE: Final = f"""
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role,
    bearer_agency_id, overseer_id, priority, categories, priority_flags, period, counts_from,
    counts_until, opened_at, due_at, state, version)
SELECT {{new_id}}, {{rule}}, c.id, c.id, c.home_county, was.region_code, {{bearer}}, was.agency,
    (SELECT {nearest_in_sql("{overseer}", "a.region_code")} FROM agencies a
     WHERE a.id = was.agency), cardinality(c.priority_flags) > 0, c.categories, c.priority_flags,
    {{period}}, {{first}}, {{last}}, {{now}}, {{due}}, 'open', 1
FROM children c LEFT JOIN LATERAL (
    SELECT s.lived_in, s.enrolled_at FROM child_stays s
    WHERE s.home_county = c.home_county AND s.child_id = c.id AND s.until >= {{due}}
    ORDER BY s.until LIMIT 1) s ON true
CROSS JOIN LATERAL (SELECT coalesce(s.lived_in, c.region_code) AS region_code,
                           {{agency}} AS agency) AS was
WHERE c.home_county = {{county}} AND c.id = {{child}} AND {{chosen}}
ON CONFLICT (home_county, rule, period, subject_id) DO NOTHING
"""

# What any deed for a child discharges is done by whoever holds the post where the child lives now.
_FOLLOW_CHILDREN: Final = """
UPDATE duties d SET region_code = c.region_code, version = d.version + 1,
    bearer_role = coalesce(d.stands_in_for, d.bearer_role), stands_in_for = NULL
FROM children c
WHERE d.rule = ANY ($1::text[]) AND d.home_county = $2 AND d.state IN ('open', 'overdue')
  AND c.home_county = d.home_county AND c.id = d.child_id AND c.region_code <> d.region_code
  AND ($3::uuid IS NULL OR c.id = $3)
"""

_OWED: Final = "unnest($5::uuid[]) AS n (id) CROSS JOIN " + _OF_CHILD.format(
    county="$3", rule="$1", period="$4"
)


async def next_children(tx: Tx, home_county: int, after: UUID) -> Sequence[UUID]:
    """Return the next SET of a county's children, by id; fewer at the end."""
    return [row["id"] for row in await tx.connection.fetch(_NEXT, home_county, after, SET)]


async def open_period(tx: Tx, *, home_county: int, children: Sequence[UUID]) -> None:
    """Open the duties of this week, month, quarter … for some children of a county, no more than
    SET, and bring them up to date. A duty follows the child who moved, and the pupil to another
    school, and lapses when the child is not one of those any more for whom it is owed.
    """
    for rule in rules().values():
        if period := rule.period_of(tx.today):
            await _open_for_children(tx, rule, period, home_county, children)
            await _lapse_for_children(tx, rule, period, home_county, children)
            await discharge(tx, rule, "true", home_county, period.code, children, of=_OWED)


async def open_missed(
    tx: Tx, home_county: int, child_id: UUID, held: Mapping[str, Collection[str]], since: _Since
) -> None:
    """Open for a child what was owed in the periods before this for what it was found only now to
    have been since some day (`held_since`): each is late at once. `held`: the categories and flags
    it is in.
    """
    for rule in rules().values():
        day = _owed_since(rule, held, since)
        while day and (period := rule.period_of(day)) and period.last < tx.today:
            await _open_before(tx, rule, period, home_county, child_id, day)
            await discharge(tx, rule, "true", home_county, period.code, [child_id], of=_OWED)
            day = period.last + timedelta(days=1)


def _owed_since(rule: Rule, held: Mapping[str, Collection[str]], since: _Since) -> date | None:
    """Return since when a rule's duty is owed for what was found late; None: not for that."""
    said, days = rule.opens.children, []
    if said is None:
        return None
    for asked, has in ((said.category, held["categories"]), (said.flag, held["priority_flags"])):
        met = {code for code in has if asked == "any" or code in (asked or ())}
        if met and met <= since.keys():
            days.append(min(since[code] for code in met))
    return max(days, default=None)


async def follow_children(tx: Tx, home_county: int, child_id: UUID | None = None) -> None:
    """Let what an event opened follow the children of a county who moved, or one."""
    followed = [rule.code for rule in rules().values() if rule.follows_child]
    await tx.connection.execute(_FOLLOW_CHILDREN, followed, home_county, child_id)


def _opening(
    where: Where, tx: Tx, rule: Rule, period: Period, home_county: int
) -> dict[str, object]:
    """Bind what both statements that open a rule's duties say of it, the period and the county."""
    now = f"{where.bind(tx.now)}::timestamptz"
    overseer = rule.bearer.overseen_by
    return {
        "overseer": f"{where.bind(overseer and min(role(overseer).agency_kinds))}::text",
        "new_id": _NEW_ID.format(now=now),
        "rule": where.bind(rule.code),
        "bearer": where.bind(rule.bearer.role),
        "period": where.bind(period.code),
        "first": f"{where.bind(period.first)}::date",
        "last": f"{where.bind(rule.counts_until(period))}::date",
        "now": now,
        "due": f"{where.bind(period.ends)}::timestamptz",
        "county": where.bind(home_county),
        "chosen": where,
    }


async def _open_for_children(
    tx: Tx, rule: Rule, period: Period, home_county: int, children: Sequence[UUID]
) -> None:
    where = chosen(rule, tx.today)
    statement = _OPEN_FOR_CHILDREN.format(
        agency="c.school_id" if rule.owed_by_school else "NULL::uuid",
        children=where.bind(children),
        **_opening(where, tx, rule, period, home_county),
    )
    await tx.connection.execute(statement, *where.arguments)


async def _open_before(
    tx: Tx, rule: Rule, period: Period, home_county: int, child_id: UUID, on: date
) -> None:
    where = chosen(rule, on)
    if rule.owed_by_school:
        where.add("was.agency IS NOT NULL")
    at_school = "CASE WHEN s.lived_in IS NULL THEN c.school_id ELSE s.enrolled_at END"
    statement = _OPEN_BEFORE.format(
        agency=at_school if rule.owed_by_school else "NULL::uuid",
        child=where.bind(child_id),
        **_opening(where, tx, rule, period, home_county),
    )
    await tx.connection.execute(statement, *where.arguments)


async def _lapse_for_children(
    tx: Tx, rule: Rule, period: Period, home_county: int, children: Sequence[UUID]
) -> None:
    where = chosen(rule, tx.today)
    statement = _GONE.format(
        chosen=where,
        rule=where.bind(rule.code),
        period=where.bind(period.code),
        county=where.bind(home_county),
        children=where.bind(children),
    )
    gone = await tx.connection.fetch(statement, *where.arguments)
    if gone:
        await tx.connection.execute(_LAPSE, tx.now, *map(list, zip(*gone, strict=True)))
