"""Who owes what is open while a post is empty: whoever is above, until somebody holds it.

The duty stays that of the post, whoever holds it. What an agency owes stays with the agency: no
other could take its steps; it becomes late, and is told to those above. Run by the worker, per
county.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.access.roles import role
from app.agencies.queries import lineage_in_sql, nearest_in_sql
from app.core.data.db import Tx
from app.core.jobs import events
from app.duties.discharging import discharge
from app.duties.events import DutyChangedHands
from app.duties.rulebook import rules

BATCH: Final = 500

_OWED: Final = "d.home_county = $1 AND d.state IN ('open', 'overdue')"

_ANSWERS: Final = f"""(EXISTS (
    SELECT FROM posts p JOIN agencies a ON a.id = p.agency_id AND a.active
    JOIN post_holdings h ON h.post_id = p.id
        AND EXISTS (SELECT FROM staff s WHERE s.id = h.staff_id AND s.active)
        AND NOT EXISTS (SELECT FROM staff_accounts u WHERE u.staff_id = h.staff_id AND NOT u.active)
        AND h.since <= $4::date AND (h.until IS NULL OR h.until > $4::date)
    WHERE p.active AND p.role = c.role AND p.region_code IN ({lineage_in_sql("o.place")})
) OR EXISTS (
    SELECT FROM clients m JOIN agencies a ON a.id = m.agency_id AND a.active
    WHERE m.active AND m.kind = 'machine' AND m.role = c.role
      AND m.region_code IN ({lineage_in_sql("o.place")})))"""

# `who`: the roles that may owe it, a row each, in the order they are asked.
_WHO: Final = (
    "who AS (SELECT * FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS w (rule, role, turn))"
)
_OF_POSTS: Final = f"""
WITH {_WHO}, owed AS (
    SELECT DISTINCT d.rule, d.region_code AS place, d.bearer_role AS now,
        coalesce(d.stands_in_for, d.bearer_role) AS post
    FROM duties d WHERE {_OWED} AND d.bearer_agency_id IS NULL
      AND d.rule IN (SELECT rule FROM who)
), found AS MATERIALIZED (
    SELECT o.*, coalesce((
        SELECT c.role FROM who c JOIN who own ON own.rule = o.rule AND own.role = o.post
        WHERE c.rule = o.rule AND c.turn >= own.turn AND {_ANSWERS} ORDER BY c.turn LIMIT 1
    ), o.post) AS owner FROM owed o
)
SELECT d.id, f.owner AS role, NULLIF(f.post, f.owner) AS for_role
FROM found f CROSS JOIN LATERAL (
    SELECT d.id FROM duties d
    WHERE {_OWED} AND d.bearer_agency_id IS NULL AND d.rule = f.rule AND d.region_code = f.place
      AND coalesce(d.stands_in_for, d.bearer_role) = f.post AND d.bearer_role = f.now
    LIMIT {BATCH} FOR UPDATE SKIP LOCKED
) d
WHERE f.owner <> f.now LIMIT {BATCH}
"""

_CHANGE_HANDS: Final = """
UPDATE duties d
SET bearer_role = n.role, stands_in_for = n.for_role, version = d.version + 1
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (id, role, for_role)
WHERE d.home_county = $4 AND d.id = n.id
RETURNING d.id AS subject_id, d.rule, d.child_id, d.home_county, d.region_code, d.bearer_role,
          d.bearer_agency_id AS agency_id, d.told_to, d.stands_in_for
"""

_OVERSEEN: Final = f"""
WITH owed AS (
    SELECT DISTINCT d.bearer_agency_id AS id FROM duties d
    WHERE {_OWED} AND d.bearer_agency_id IS NOT NULL AND d.rule = ANY ($2::text[])
), near AS (
    SELECT o.id, {nearest_in_sql("$3", "a.region_code")} AS office
    FROM owed o JOIN agencies a ON a.id = o.id
), other AS (
    SELECT d.id, n.office FROM near n CROSS JOIN LATERAL (
        SELECT d.id FROM duties d WHERE {_OWED} AND d.rule = ANY ($2::text[])
          AND d.bearer_agency_id = n.id AND d.overseer_id IS DISTINCT FROM n.office
        FOR UPDATE SKIP LOCKED) d
)
UPDATE duties d SET overseer_id = o.office, version = d.version + 1 FROM other o
WHERE d.home_county = $1 AND d.id = o.id
"""


# Each by its key: a plan for all at once reads what was ever owed under the rule.
_THEIRS: Final = """unnest($3::uuid[]) AS n (id) CROSS JOIN LATERAL (
    SELECT * FROM duties d WHERE d.id = n.id OFFSET 0) d"""


async def find_owners(tx: Tx, home_county: int) -> int:
    """Let whoever is above owe a batch of a county's duties of empty posts, give back those of
    posts that are filled, and announce it. Enter who oversees by now the agencies that owe.
    Returns how many changed hands.
    """
    asked = [
        (rule.code, each)
        for rule in rules().values()
        if not rule.bearer.agency_fields
        for each in rule.owners
    ]
    changed = await tx.connection.fetch(
        _OF_POSTS, home_county, *map(list, zip(*asked, strict=True)), tx.today
    )
    if changed:
        columns = map(list, zip(*changed, strict=True))
        rows = await tx.connection.fetch(_CHANGE_HANDS, *columns, home_county)
        await events.publish(tx, *(DutyChangedHands(**row) for row in rows))
        await _discharge(tx, rows)
    await _enter_overseers(tx, home_county)
    return len(changed)


async def _discharge(tx: Tx, changed: Sequence[Mapping[str, Any]]) -> None:
    """Let what who stands in has done already be done."""
    theirs: dict[str, list[UUID]] = defaultdict(list)
    for row in changed:
        if row["stands_in_for"]:
            theirs[row["rule"]].append(row["subject_id"])
    for code, duties in theirs.items():
        await discharge(tx, rules()[code], "true", duties, of=_THEIRS)


async def _enter_overseers(tx: Tx, home_county: int) -> None:
    for overseer in {rule.bearer.overseen_by for rule in rules().values()} - {None}:
        codes = [code for code, rule in rules().items() if rule.bearer.overseen_by == overseer]
        kind = min(role(str(overseer)).agency_kinds)
        await tx.connection.execute(_OVERSEEN, home_county, codes, kind)


_HANDED_ON: Final = """
UPDATE duties d SET bearer_agency_id = $2, version = d.version + 1
WHERE d.bearer_agency_id = $1 AND d.state IN ('open', 'overdue') AND d.subject_id = ANY ($3::uuid[])
  AND (d.told_to IS NULL OR $2 = ANY (d.told_to))
RETURNING d.id AS subject_id, d.rule, d.child_id, d.home_county, d.region_code, d.bearer_role,
          d.bearer_agency_id AS agency_id, d.told_to, d.stands_in_for
"""


async def pass_on(tx: Tx, agency_id: UUID, successor_id: UUID, subjects: Sequence[UUID]) -> None:
    """Let a successor owe what an agency owes of things that were passed on, and announce it."""
    async with tx.as_system():
        rows = await tx.connection.fetch(_HANDED_ON, agency_id, successor_id, subjects)
        await events.publish(tx, *(DutyChangedHands(**row) for row in rows))
