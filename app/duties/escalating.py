"""What is not done in time becomes overdue and is told, step by step, to those above: each county
by itself, a batch a transaction.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg

from app.core.data.db import Tx
from app.core.jobs import events
from app.duties.discharging import discharge
from app.duties.events import DutyEscalated, DutyOverdue
from app.duties.rulebook import rules

BATCH: Final = 500

# From one county to the next, by the index in which each begins with what comes first.
_COUNTIES: Final = """
WITH RECURSIVE each (code) AS (
    SELECT min(home_county) FROM duties WHERE {waiting}
    UNION ALL SELECT (SELECT min(home_county) FROM duties WHERE {waiting} AND home_county > code)
    FROM each WHERE code IS NOT NULL
)
SELECT code FROM each
WHERE (SELECT min({at}) FROM duties WHERE {waiting} AND home_county = code) <= $1
"""
_OVERDUE_IN: Final = _COUNTIES.format(waiting="state = 'open'", at="due_at")
_TOLD_IN: Final = _COUNTIES.format(
    waiting="state = 'overdue' AND escalates_at IS NOT NULL", at="escalates_at"
)
_DUE: Final = """
SELECT id, rule, due_at, 0 AS escalated FROM duties
WHERE home_county = $3 AND state = 'open' AND due_at <= $1
ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
# Those that the release before marked overdue were told of once, uncounted.
_WAITING: Final = """
SELECT id, rule, due_at, greatest(escalated, 1) AS escalated FROM duties
WHERE home_county = $3 AND state = 'overdue' AND escalates_at <= $1
ORDER BY escalates_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_TELL: Final = """
UPDATE duties d
SET state = 'overdue', escalated = next.escalated,
    overdue_at = CASE d.state WHEN 'open' THEN $1 ELSE d.overdue_at END,
    escalates_at = next.at, version = d.version + next.told::int
FROM unnest($2::uuid[], $3::int[], $4::timestamptz[], $5::boolean[])
    AS next (id, escalated, at, told)
WHERE d.home_county = $6 AND d.id = next.id AND d.state IN ('open', 'overdue')
RETURNING next.told, d.escalated AS step, d.id AS subject_id, d.rule, d.child_id, d.home_county,
          d.region_code, d.bearer_role, d.bearer_agency_id AS agency_id, d.told_to, d.due_at,
          array_remove(ARRAY[d.overseer_id], NULL) AS known_to
"""


async def counties_due(tx: Tx) -> list[int]:
    """Return the counties in which something is due by now that was not marked."""
    return [row["code"] for row in await tx.connection.fetch(_OVERDUE_IN, tx.now)]


async def counties_waiting(tx: Tx) -> list[int]:
    """Return the counties in which the next step is to be told by now."""
    return [row["code"] for row in await tx.connection.fetch(_TOLD_IN, tx.now)]


async def mark_overdue(tx: Tx, home_county: int) -> bool:
    """Mark, of a batch of what is due in a county, what is not discharged, and announce it. Returns
    whether there may be more.
    """
    rows = await tx.connection.fetch(_DUE, tx.now, BATCH, home_county)
    return await _tell(tx, home_county, rows)


async def escalate(tx: Tx, home_county: int) -> bool:
    """Tell, of a batch of what is overdue still in a county, those of the next step. Returns
    whether there may be more. One that is locked is being told of elsewhere.
    """
    rows = await tx.connection.fetch(_WAITING, tx.now, BATCH, home_county)
    return await _tell(tx, home_county, rows)


async def _tell(tx: Tx, home_county: int, rows: Sequence[asyncpg.Record]) -> bool:
    for code in sorted({row["rule"] for row in rows} & rules().keys()):
        await discharge(tx, rules()[code], "d.id = ANY ($3::uuid[])", [row["id"] for row in rows])
    steps = []
    for row in rows:
        rule, told = rules().get(row["rule"]), row["escalated"]
        at = rule and rule.escalates_at(row["due_at"], told)
        now = bool(at and at <= tx.now) or not told
        after = rule and rule.escalates_at(row["due_at"], told + 1) if now else at
        steps.append((row["id"], told + now, after, now))
    if steps:
        columns = map(list, zip(*steps, strict=True))
        said = await tx.connection.fetch(_TELL, tx.now, *columns, home_county)
        await events.publish(
            tx, *(_event(row) for row in said if row["told"] and row["rule"] in rules())
        )
    return len(rows) == BATCH


def _event(row: asyncpg.Record) -> DutyOverdue | DutyEscalated:
    told = {**row, "escalates_to": rules()[row["rule"]].escalates[row["step"] - 1].to}
    return DutyOverdue(**told) if row["step"] == 1 else DutyEscalated(**told)
