"""How many duties stand where, and how many children were visited (VIS-02).

Up to a county that is counted from the rows, as the caller sees them. Of a larger place only what
concerns somebody by itself is: their own duties and those told to few (AZ-8). The rest was counted
of each county within the hour, and is added up; what fell due since is counted as overdue.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.access.principal import Principal
from app.core.data.db import NATION, Tx
from app.core.data.sql import Where
from app.duties import queries, schemas
from app.duties.models import DONE_BY_HIDDEN
from app.duties.periods import Period
from app.duties.rulebook import oversees, rules_seen_by
from app.regions.rules import SPANS, counties_in_sql

VISIT_RULE: Final = "VIS-01"
"""The rule whose duties make up the coverage of visits."""
_COUNTY: Final = SPANS[2]
_OUTCOME: Final = """CASE WHEN {stands} <> 'discharged'
        OR coalesce(d.late_before_at, d.overdue_at) IS NULL THEN {stands}
    WHEN d.late_before_at IS NULL
        AND (d.discharged_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' <= d.due_at
    THEN 'discharged_recorded_late' ELSE 'discharged_late' END"""
"""What was found overdue was done too late, unless its day was over before it was due: then only
word of it came late. Both begin with `discharged`."""
_DUE_BY: Final = "CASE WHEN d.state = 'open' AND d.due_at <= $2 THEN 'overdue' ELSE d.state END"
"""Where a duty stands at an instant, as anybody may know of it: marked or not."""
_OPENED: Final = """CASE WHEN d.period = ''
    THEN to_char(d.opened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY"Q"Q') ELSE '' END"""
"""The quarter in which a duty without a period was opened."""
_OF_QUARTER: Final = """(c.period = {quarter} OR (c.period = '' AND c.opened <= {quarter}
    AND (c.opened = {quarter} OR c.outcome IN ('open', 'overdue'))))"""
"""What is counted of a quarter: what is owed for it, and older duties without one still owed."""
_GROUPS: Final = f"""
SELECT 'all' AS chosen_by, '' AS code
UNION ALL SELECT 'priority', '' WHERE d.rule = '{VISIT_RULE}' AND d.priority
UNION ALL SELECT 'category', unnest(d.categories) WHERE d.rule = '{VISIT_RULE}'
UNION ALL SELECT 'priority_flag', unnest(d.priority_flags) WHERE d.rule = '{VISIT_RULE}'"""


class Counts(NamedTuple):
    """Where the duties of a place stand. `opened`: whether all that is owed in the quarter was
    opened. `as_of`: when the earliest part of it was counted; null if all was just now.
    """

    rules: list[schemas.DutyCounts]
    coverage: list[schemas.Coverage]
    opened: bool
    as_of: datetime | None


async def count(tx: Tx, principal: Principal, quarter: Period, region: tuple[int, int]) -> Counts:
    """Count the duties of a quarter in a region, as far as the caller may know of them."""
    lo, hi = max(region[0], principal.region_lo), min(region[1], principal.region_hi)
    counted, where = [], queries.visible(principal)
    if principal.role.relation == "region" and hi - lo > _COUNTY:
        seen = rules_seen_by(principal.role.code)
        over = quarter.ends <= tx.now
        counted = await tx.connection.fetch(_COUNTED, lo, hi, seen, quarter.code, over)
        counted += await tx.connection.fetch(_FELL_DUE, lo, hi, seen, quarter.code, tx.now)
        found = await tx.connection.fetch(_UNCOUNTED, lo, hi)
        where = _apart(principal, [row["county"] for row in found])
    where.add("d.region_code >= {} AND d.region_code < {}", *region)
    rows = await _live(tx, principal, quarter, where)
    if counted:
        rows += await _not_done(tx, principal, quarter, (lo, hi))
    return Counts(
        _by_rule(filter(_is_all, [*counted, *rows])),
        _coverage(
            row
            for row in (*counted, *rows)
            if (row["rule"], row["period"]) == (VISIT_RULE, quarter.code)
        ),
        bool(await tx.connection.fetchval(_ALL_OPENED, quarter.begins)),
        min((row["counted_at"] for row in counted), default=None),
    )


_COUNTED: Final = f"""
SELECT c.rule, c.period, c.chosen_by, c.code, by_now.outcome, sum(c.n)::int AS n,
       min(c.counted_at) AS counted_at
FROM duty_counts c CROSS JOIN LATERAL (SELECT
    CASE WHEN c.outcome = 'open' AND c.period <> '' AND $5 THEN 'overdue' ELSE c.outcome END
) AS by_now (outcome)
WHERE c.county_code >= $1 AND c.county_code < $2 AND c.rule = ANY ($3::text[])
  AND {_OF_QUARTER.format(quarter="$4")}
GROUP BY 1, 2, 3, 4, 5
"""
_FELL_DUE: Final = f"""
SELECT c.rule, c.period, 'all' AS chosen_by, '' AS code, moved.outcome,
       (sum(moved.n))::int AS n, min(c.counted_at) AS counted_at
FROM (SELECT d.rule, d.period, {_OPENED} AS opened, 'open' AS outcome, k.counted_at
      FROM (SELECT county_code, min(counted_at) AS counted_at FROM duty_counts
            WHERE county_code >= $1 AND county_code < $2 GROUP BY 1) AS k
      CROSS JOIN LATERAL (  -- county by county, of each what fell due since: not all that is owed
          SELECT * FROM duties d
          WHERE d.state IN ('open', 'overdue') AND d.period = '' AND d.told_to IS NULL
              AND d.rule = ANY ($3::text[]) AND d.county_code = k.county_code
              AND d.due_at > k.counted_at AND d.due_at <= $5 AND d.opened_at <= k.counted_at
          OFFSET 0) AS d) AS c
CROSS JOIN (VALUES ('open', -1), ('overdue', 1)) AS moved (outcome, n)
WHERE {_OF_QUARTER.format(quarter="$4")}
GROUP BY 1, 2, 5
"""
"""What was counted as open and fell due since. What is owed for a quarter falls due with it."""
_ALL_OPENED: Final = """
SELECT succeeded_at >= $1 FROM job_schedules WHERE name = 'duties.open_period'
"""
_ADDED_UP: Final = f"""
SELECT c.rule, c.period, c.chosen_by, c.code, c.outcome, count(*)::int AS n
FROM (SELECT d.rule, d.period, g.chosen_by, g.code, d.outcome, d.opened
      FROM (SELECT d.*, {{outcome}} AS outcome, {_OPENED} AS opened FROM duties d WHERE {{where}}
      ) AS d CROSS JOIN LATERAL ({_GROUPS}) AS g) AS c
WHERE {_OF_QUARTER} GROUP BY 1, 2, 3, 4, 5
"""
_UNCOUNTED: Final = f"""
SELECT county FROM ({counties_in_sql("duties", "$1", "$2")}) AS owing
WHERE NOT EXISTS (SELECT FROM duty_counts c WHERE c.county_code = county)
"""
_PLAIN: Final = "d.told_to IS NULL AND d.rule = ANY ({}::text[])"


async def _live(
    tx: Tx, principal: Principal, quarter: Period, where: Where
) -> list[Mapping[str, Any]]:
    """Count rows as they stand for the caller."""
    stands = queries.state_of(where, principal, tx.now)
    # No index is searched for it: a quarter's duties are most of what there is.
    where.add(
        "(d.period = {0} OR (d.period = '' AND d.opened_at < {1})) IS TRUE",
        quarter.code,
        quarter.ends,
    )
    statement = _ADDED_UP.format(
        outcome=_OUTCOME.format(stands=stands), where=where, quarter=where.bind(quarter.code)
    )
    return [*await tx.connection.fetch(statement, *where.arguments)]


def _apart(principal: Principal, uncounted: list[int]) -> Where:
    """Limit `duties d` to what the caller sees and the counts of counties leave out: their own, and
    those told to few; and all of counties that were never counted.
    """
    agency = principal.agency_id
    span = (principal.region_lo, principal.region_hi)
    where = Where("d.bearer_agency_id = {}", agency)
    if oversees(principal.role.code):
        where.or_else("d.overseer_id = {}", agency)
    told = "d.told_to IS NOT NULL AND d.region_code >= {} AND d.region_code < {}"
    where.or_else(told, *span)
    where.or_else("d.county_code = ANY ({}::bigint[])", uncounted)
    return queries.known(where, principal).add(
        f"NOT ({_PLAIN.format('{0}')} AND d.region_code >= {{1}} AND d.region_code < {{2}}"
        " AND d.county_code <> ALL ({3}::bigint[]))",
        rules_seen_by(principal.role.code),
        *span,
        uncounted,
    )


async def _not_done(
    tx: Tx, principal: Principal, quarter: Period, span: tuple[int, int]
) -> list[dict[str, Any]]:
    """Put right what was counted as done by a deed that is hidden from the caller (AZ-8): to them
    it is not.
    """
    where = Where(f"d.region_code >= {{}} AND d.region_code < {{}} AND {DONE_BY_HIDDEN}", *span)
    where.add(_PLAIN, rules_seen_by(principal.role.code))
    stands = queries.state_of(where, principal, tx.now)
    # The policy shows who asks what is hidden from them, and nothing else. What was done after its
    # county was counted, or in one that never was, is not counted as done.
    found = await tx.connection.fetch(
        f"""SELECT c.rule, c.period, c.outcome, c.n FROM (
                SELECT d.rule, d.period, {_OPENED} AS opened, either.outcome, either.n
                FROM hidden_subjects h JOIN duties d ON d.discharged_by = h.subject_id
                    AND EXISTS (SELECT FROM duty_counts k WHERE k.county_code = d.county_code
                        AND k.counted_at >= d.discharged_at)
                CROSS JOIN LATERAL (VALUES ({_OUTCOME.format(stands="d.state")}, -1),
                    ({_OUTCOME.format(stands=stands)}, 1)) AS either (outcome, n)
                WHERE {where}) AS c
            WHERE {_OF_QUARTER.format(quarter=where.bind(quarter.code))}""",
        *where.arguments,
    )
    return [{**row, "chosen_by": "all", "code": ""} for row in found]


def _is_all(row: Mapping[str, Any]) -> bool:
    return bool(row["chosen_by"] == "all")


_TOGETHER: Final = {
    "discharged_late": ("discharged", "discharged_late"),
    "discharged_recorded_late": ("discharged", "recorded_late"),
}


def _by_rule(rows: Iterable[Mapping[str, Any]]) -> list[schemas.DutyCounts]:
    found: dict[str, Counter[str]] = {}
    for row in rows:
        for name in _TOGETHER.get(row["outcome"], (row["outcome"],)):
            found.setdefault(row["rule"], Counter(_NONE))[name] += row["n"]
    return [
        schemas.DutyCounts(**queries.titled({"rule": rule, **_NONE, **+each}))
        for rule, each in sorted(found.items())
        if any(each.values())
    ]


_NONE: Final = dict.fromkeys(
    schemas.DutyCounts.model_fields.keys() - {"rule", "title_zh", "title_en"}, 0
)


def _coverage(rows: Iterable[Mapping[str, Any]]) -> list[schemas.Coverage]:
    """Tell how many children had to be visited in the quarter, and how many were."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        each = found.setdefault((row["chosen_by"], row["code"]), Counter())
        each["owed"] += row["n"] * (row["outcome"] != "cancelled")
        each["visited"] += row["n"] * row["outcome"].startswith("discharged")
        each["lapsed"] += row["n"] * (row["outcome"] == "lapsed")
    return [
        schemas.Coverage(
            group=schemas.CoverageGroup(group),
            code=code or None,
            owed=each["owed"],
            visited=each["visited"],
            lapsed=each["lapsed"],
            gap=each["owed"] - each["visited"],
        )
        for (group, code), each in sorted(found.items())
        if each["owed"]
    ]


# --- what is counted in advance -------------------------------------------------------------------

_COUNT_COUNTY: Final = f"""
WITH counted AS MATERIALIZED (
    SELECT d.rule, d.period, d.opened, g.chosen_by, g.code, d.outcome, count(*)::int AS n
    FROM (SELECT d.*, {_OUTCOME.format(stands=f"({_DUE_BY})")} AS outcome, {_OPENED} AS opened
          FROM duties d WHERE d.county_code = $1 AND d.told_to IS NULL) AS d
    CROSS JOIN LATERAL ({_GROUPS}) AS g
    GROUP BY 1, 2, 3, 4, 5, 6
), gone AS (
    DELETE FROM duty_counts c WHERE c.county_code = $1 AND NOT EXISTS (
        SELECT FROM counted n WHERE (n.rule, n.period, n.opened, n.chosen_by, n.code, n.outcome)
            = (c.rule, c.period, c.opened, c.chosen_by, c.code, c.outcome))
)
INSERT INTO duty_counts
    (county_code, rule, period, opened, chosen_by, code, outcome, n, counted_at)
SELECT $1, n.*, $2 FROM counted n
ON CONFLICT (county_code, rule, period, opened, chosen_by, code, outcome) DO UPDATE
SET n = excluded.n, counted_at = excluded.counted_at
"""
_EVERYWHERE: Final = ("0", str(NATION[1]))
_COUNTIES: Final = f"""
SELECT county FROM ({counties_in_sql("duties", *_EVERYWHERE)}) AS owing
UNION
SELECT county FROM ({counties_in_sql("duty_counts", *_EVERYWHERE, column="county_code")}) AS had
"""


async def counties(tx: Tx) -> list[int]:
    """Return the counties that have duties, or counts of them."""
    return [row["county"] for row in await tx.connection.fetch(_COUNTIES)]


async def count_county(tx: Tx, county: int) -> None:
    """Count what anybody may know of a county's duties."""
    await tx.connection.execute(_COUNT_COUNTY, county, tx.now)
