"""What is owed anew in every period, for each of some children."""

from datetime import date
from typing import Final
from uuid import UUID

from app.core.data.db import Tx
from app.duties.discharging import discharge
from app.duties.periods import Period
from app.duties.queries import chosen
from app.duties.rulebook import rules
from app.duties.rules import Rule

# A time-ordered UUID (RFC 9562, version 7): the clock before the random part of a version 4.
_NEW_ID: Final = """encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send((extract(epoch FROM {now}) * 1000)::bigint) FROM 3)
    FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid"""

_OPEN_FOR_CHILDREN: Final = """
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role,
    priority, categories, priority_flags, period, counts_from, counts_until, opened_at, due_at,
    state, version)
SELECT {new_id}, {rule}, c.id, c.id, c.home_county, c.region_code, {bearer},
    cardinality(c.priority_flags) > 0, c.categories, c.priority_flags, {period}, {first}, {last},
    {now}, {due}, 'open', 1
FROM children c WHERE {chosen}
ON CONFLICT (home_county, rule, period, subject_id) DO UPDATE
SET region_code = excluded.region_code, priority = excluded.priority,
    categories = excluded.categories, priority_flags = excluded.priority_flags,
    state = CASE WHEN duties.state IN ('cancelled', 'lapsed') THEN 'open' ELSE duties.state END,
    lapsed_at = NULL, version = duties.version + 1
WHERE duties.state <> 'discharged'
  AND (duties.state IN ('cancelled', 'lapsed')
       OR (duties.region_code, duties.categories, duties.priority_flags)
          IS DISTINCT FROM (excluded.region_code, excluded.categories, excluded.priority_flags))
"""

# A birthday, a move or a policy takes nothing off the record: what was owed and not done stays.
_LAPSE_FOR_CHILDREN: Final = """
UPDATE duties d SET state = 'lapsed', lapsed_at = {now}, version = d.version + 1
WHERE d.rule = {rule} AND d.period = {period} AND d.home_county = {county} AND d.state = 'open'
  AND {of_child}
  AND NOT EXISTS (SELECT FROM children c WHERE c.home_county = d.home_county
                  AND c.id = d.subject_id AND {chosen})
"""

# What any deed for a child discharges is done by whoever holds the post where the child lives now.
_FOLLOW_CHILDREN: Final = """
UPDATE duties d SET region_code = c.region_code, version = d.version + 1
FROM children c
WHERE d.rule = ANY ($1::text[]) AND d.home_county = $2 AND d.state IN ('open', 'overdue')
  AND c.home_county = d.home_county AND c.id = d.child_id AND c.region_code <> d.region_code
  AND ($3::uuid IS NULL OR c.id = $3)
"""


async def open_period(
    tx: Tx, *, home_county: int, child_id: UUID | None = None, on: date | None = None
) -> None:
    """Open the duties of this week, month, quarter … for a county's children, or for one, and bring
    them up to date. A duty follows the child who moved, also one that an event opened, and lapses
    when the child is not one of those any more for whom it is owed.
    """
    day = on or tx.today
    for rule in rules().values():
        if period := rule.period_of(day):
            await _open_for_children(tx, rule, period, home_county, child_id)
            await _lapse_for_children(tx, rule, period, home_county, child_id)
            if child_id is None:
                in_county = "d.period = $4 AND d.home_county = $5"
                await discharge(tx, rule, in_county, period.code, home_county)
            else:
                await discharge(tx, rule, "d.subject_id = $4", child_id)
    followed = [rule.code for rule in rules().values() if rule.follows_child]
    await tx.connection.execute(_FOLLOW_CHILDREN, followed, home_county, child_id)


async def _open_for_children(
    tx: Tx, rule: Rule, period: Period, home_county: int, child_id: UUID | None
) -> None:
    where = chosen(rule).add("c.home_county = {}", home_county)
    where.add_given({"c.id = {}": child_id})
    now = f"{where.bind(tx.now)}::timestamptz"
    statement = _OPEN_FOR_CHILDREN.format(
        new_id=_NEW_ID.format(now=now),
        rule=where.bind(rule.code),
        bearer=where.bind(rule.bearer.role),
        period=where.bind(period.code),
        first=f"{where.bind(period.first)}::date",
        last=f"{where.bind(period.last)}::date",
        now=now,
        due=f"{where.bind(period.ends)}::timestamptz",
        chosen=where,
    )
    await tx.connection.execute(statement, *where.arguments)


async def _lapse_for_children(
    tx: Tx, rule: Rule, period: Period, home_county: int, child_id: UUID | None
) -> None:
    where = chosen(rule)
    statement = _LAPSE_FOR_CHILDREN.format(
        chosen=where,
        now=f"{where.bind(tx.now)}::timestamptz",
        rule=where.bind(rule.code),
        period=where.bind(period.code),
        county=where.bind(home_county),
        of_child="true" if child_id is None else f"d.subject_id = {where.bind(child_id)}",
    )
    await tx.connection.execute(statement, *where.arguments)
