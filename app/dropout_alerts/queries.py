"""Reads of dropout alerts, and of the policy they follow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, get_args
from uuid import UUID

import asyncpg

from app.access.acts import Act
from app.access.principal import Principal
from app.children import enrolments
from app.children.queries import visible_below
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.dropout_alerts.models import DONE, Addressee, Cause, DropoutAlert, State, Whereabouts
from app.dropout_alerts.rules import Ended, Standing, Thresholds
from app.policy import queries as policy
from app.regions.rules import county_of, lies_in_a_county

_thresholds: Final = policy.lookup("dropout.thresholds")


def thresholds(region_code: int, on: date) -> Thresholds:
    """Read `dropout.thresholds` as it holds where a school stands."""
    return Thresholds(**_thresholds(region_code, on))


def _visible(principal: Principal) -> Where:
    """Limit `dropout_alerts a` to what the caller may know exists. That is: alerts on children in
    the remit, those known to the caller, and those written to the caller.
    """
    return visible_below(principal, "a").or_else(
        "a.school_id = {0} OR {0} = ANY (a.known_to) OR {0} = ANY (a.addressed)",
        principal.agency_id,
    )


def _listed(principal: Principal) -> Where:
    """Limit them for a list to what an index each serves: the children of the remit; for a school
    also its own, and those it handed over last; for an education authority those of the schools of
    its county; for whoever was written to, those.
    """
    where = visible_below(principal, "a")
    if principal.school_id is not None:
        return where.or_else("a.school_id = {0} OR a.handed_over_by = {0}", principal.school_id)
    if principal.agency_kind in get_args(Addressee):
        where.or_else(_WRITTEN_TO, principal.agency_id)
    if principal.agency_kind == "education" and lies_in_a_county(principal.region_lo):
        where.or_else(_OF_SCHOOLS, principal.agency_id, principal.region_lo, principal.region_hi)
    return where


# Arrays, since no index serves the ids of a subquery beside other conditions.
_WRITTEN_TO: Final = """a.id = ANY (ARRAY(
    SELECT r.alert_id FROM dropout_report_receipts r WHERE r.agency_id = {0}))"""
_SCHOOLS_OF: Final = """ANY (ARRAY(
    SELECT s.id FROM agencies s
    WHERE s.kind = 'school' AND s.region_code >= {1} AND s.region_code < {2}))"""
_OF_SCHOOLS: Final = f"""(a.school_id = {_SCHOOLS_OF} AND {{0}} = ANY (a.known_to))
    OR (a.handed_over_by = {_SCHOOLS_OF} AND {{0}} = ANY (a.known_to))"""


# `addressees`: whom a written report goes to, by kind: the education authority of the school's
# county and the government of the township the child lives in now (EDU-05).
_SELECT = """
SELECT a.* FROM (
    SELECT d.*, coalesce((SELECT jsonb_object_agg(kind, id) FROM (
        SELECT DISTINCT ON (kind) kind, id FROM agencies
        WHERE active AND ((kind = 'education' AND region_code = {county}::bigint)
            OR (kind = 'township_government' AND region_code = d.region_code / 1000 * 1000
                AND d.region_code % 1000000 >= 1000))
        ORDER BY kind, created_at, id) AS registered), '{{}}') AS addressees
    FROM dropout_alerts d
) AS a"""
_NEWEST = paging.Order({"a.id": UUID}, descending=True)


async def find(tx: Tx, principal: Principal, alert_id: UUID) -> asyncpg.Record | None:
    where = _visible(principal).add("a.id = {}", alert_id)
    statement = f"{_select(principal, where)} WHERE {where}"
    return await tx.connection.fetchrow(statement, *where.arguments)


async def whole(tx: Tx, principal: Principal, alert: DropoutAlert) -> dict[str, Any]:
    """Return an alert held for a change as `find` does, as it is now."""
    return {**dict(await find(tx, principal, alert.id) or {}), **alert.model_dump()}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of alerts is narrowed to; None means any. `registered`: in the register."""

    state: State | None = None
    child_id: UUID | None = None
    registered: bool | None = None
    cause: Cause | None = None
    whereabouts: Whereabouts | None = None


async def find_page(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    filters: Filters,
    act: Act | None,
) -> paging.Rows:
    where = _listed(principal).add_given(
        {
            "a.state = {}": filters.state,
            "a.child_id = {}": filters.child_id,
            "a.cause = {}": filters.cause,
            "a.whereabouts = {}": filters.whereabouts,
        }
    )
    if filters.registered is not None:
        where.add(f"a.registered_on IS {'NOT ' * filters.registered}NULL")
    if act is not None:
        act.narrow(where, principal, tx.today, alias="a")
    return await paging.fetch(tx, _select(principal, where), where, _NEWEST, window)


def _select(principal: Principal, where: Where) -> str:
    county = county_of(principal.region_code) if principal.agency_kind == "school" else None
    return _SELECT.format(county=where.bind(county))


UNSAID: Final = """CASE WHEN m.kind = 'order_to_guardian' AND NOT EXISTS (
    SELECT FROM dropout_measures o
    WHERE o.alert_id = m.alert_id AND o.agency_id = m.agency_id AND o.id >= m.id
        AND o.kind = m.kind AND o.order_number IS NOT NULL AND o.back_by IS NOT NULL)
THEN array_remove(ARRAY[CASE WHEN m.order_number IS NULL THEN 'order_number' END,
    CASE WHEN m.back_by IS NULL THEN 'back_by' END], NULL) ELSE '{}' END"""
"""What of `models.OrderField` a measure `m` leaves out and no order after it says."""

_STEPS = {
    "persuasions": "SELECT id, persuaded_on, stated_on, by, method, outcome, final, note_sealed,"
    " recorded_at FROM dropout_persuasions WHERE alert_id = $1 ORDER BY id",
    "reports": "SELECT id, number, cause, whereabouts, summary_sealed, sent_at"
    " FROM dropout_written_reports WHERE alert_id = $1",
    "receipts": "SELECT agency_id, kind, received_at"
    " FROM dropout_report_receipts WHERE alert_id = $1 ORDER BY kind, agency_id",
    "measures": "SELECT id, agency_id, kind, ordered_on, stated_on, order_number, back_by,"
    f" {UNSAID} AS unsaid, note_sealed, recorded_at"
    " FROM dropout_measures m WHERE alert_id = $1 ORDER BY id",
    "journal": "SELECT id, kind, from_school_id, to_school_id, unexcused_days, decision,"
    " cause, whereabouts, spoken_on, stated_on, method, note_sealed, taken_at"
    " FROM dropout_alert_steps WHERE alert_id = $1 ORDER BY id",
}


async def steps(tx: Tx, alert_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Read all that was done about an alert, by kind, each in its order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, statement in _STEPS.items():
        rows = await tx.connection.fetch(statement, alert_id)
        found[name] = [dict(row) for row in rows]
    return found


async def lock_school(tx: Tx, school_id: UUID) -> None:
    """Wait for other reassessments of a school."""
    await tx.connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('dropout_alerts/' || $1::text, 0))",
        str(school_id),
    )


_OPEN = f"(school_id = $1 OR child_id = ANY ($2::uuid[])) AND state NOT IN {DONE}"
_OPEN_IN = f"SELECT DISTINCT home_county FROM dropout_alerts WHERE {_OPEN} ORDER BY 1"
_HELD = f"""
SELECT * FROM dropout_alerts WHERE home_county = $3 AND {_OPEN} ORDER BY id FOR UPDATE
"""


async def open_alerts(
    tx: Tx, *, school_id: UUID | None, children: Sequence[UUID]
) -> dict[UUID, dict[str, Any]]:
    """Find the open alerts that a school keeps, and those on some children, by child, and hold
    them. Where a child is enrolled now stands in its alert, `pupil_of`. One statement, and one for
    each county that opened their files: mostly that of the school.
    """
    those = school_id, list(children)
    found: dict[UUID, dict[str, Any]] = {}
    for county in await tx.connection.fetch(_OPEN_IN, *those):
        rows = await tx.connection.fetch(_HELD, *those, county["home_county"])
        found |= {row["child_id"]: dict(row) for row in rows}
    return found


# Where no run of the worker came between: of rows written since the alert was opened.
_PASSED_THROUGH = """
SELECT a.child_id, e.school_id FROM dropout_alerts a
JOIN child_enrolments e ON e.home_county = a.home_county AND e.child_id = a.child_id
WHERE a.id = ANY ($1::uuid[]) AND e.school_id <> ALL (a.known_to)
    AND (e.recorded_at, e.id) > (a.created_at, a.id) AND e.until > a.first_absent_day
ORDER BY e.since
"""


async def passed_through(tx: Tx, alerts: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Find the schools at which children with open alerts have been since, and which know nothing
    of them, in their order, by child. One statement.
    """
    found: dict[UUID, list[UUID]] = {}
    for child, school in await tx.connection.fetch(_PASSED_THROUGH, [*alerts]):
        found.setdefault(child, []).append(school)
    return found


async def ended(tx: Tx, children: Sequence[UUID]) -> dict[UUID, list[Ended]]:
    """Find the alerts on some children that are done, by child."""
    rows = await tx.connection.fetch(
        "SELECT child_id, id, state, end_reason, first_absent_day, last_absent_day, returned_on,"
        " ended_on FROM dropout_alerts"
        f" WHERE child_id = ANY ($1::uuid[]) AND state IN {DONE} ORDER BY id",
        list(children),
    )
    found: dict[UUID, list[Ended]] = {}
    for child, *row in map(tuple, rows):
        found.setdefault(child, []).append(Ended(*row))
    return found


_MAY_GO_ON = f"""
SELECT child_id, min(first_absent_day) FROM dropout_alerts
WHERE child_id = ANY ($1::uuid[]) AND state IN {DONE} AND end_reason IN ('attended', 'excused')
    AND coalesce(returned_on, ended_on) >= $2
GROUP BY child_id
"""


async def may_go_on(tx: Tx, children: Sequence[UUID], since: date) -> dict[UUID, date]:
    """Find the children with alerts that a machine ended on a day or later, and the first day of
    these: what ended them may not be said any more. One statement.
    """
    return {row[0]: row[1] for row in await tx.connection.fetch(_MAY_GO_ON, [*children], since)}


@dataclass(frozen=True, slots=True)
class School:
    """A school, where it stands, and who knows of its alerts wherever the child lives: the school
    and the education authority of its county.
    """

    id: UUID
    region_code: int
    known_to: tuple[UUID, ...]


EDUCATION = """(
    SELECT e.id FROM agencies e
    WHERE e.active AND e.kind = 'education' AND e.region_code = s.region_code / 1000000 * 1000000
    ORDER BY e.created_at, e.id LIMIT 1) AS education"""
_SCHOOLS = f"SELECT s.id, s.region_code, {EDUCATION} FROM agencies s WHERE s.id = ANY ($1::uuid[])"


async def schools(tx: Tx, ids: Collection[UUID]) -> dict[UUID, School]:
    """Find schools by id. One statement."""
    rows = await tx.connection.fetch(_SCHOOLS, list(ids))
    return {
        row["id"]: School(
            row["id"], row["region_code"], tuple(filter(None, (row["id"], row["education"])))
        )
        for row in rows
    }


_KNOWN_ABOVE = f"""
UPDATE dropout_alerts AS t SET known_to = t.known_to || above.education
FROM (
    SELECT a.id, a.home_county, s.education
    FROM (SELECT s.id, {EDUCATION} FROM agencies s
          WHERE s.kind = 'school' AND s.region_code >= $1 AND s.region_code < $2) AS s
    JOIN dropout_alerts a ON a.school_id = s.id
        AND (a.state NOT IN {DONE} OR a.end_reason IN ('attended', 'excused'))
    WHERE s.education <> ALL (a.known_to) LIMIT $3
) AS above
WHERE t.home_county = above.home_county AND t.id = above.id
"""


async def known_above(tx: Tx, lo: int, hi: int, *, at_most: int) -> int:
    """Let the education authorities that look after the schools of a place now know of their alerts
    that are open or may go on, wherever the children live; who knew of them still does. Returns of
    how many.
    """
    done = await tx.connection.execute(_KNOWN_ABOVE, lo, hi, at_most)
    return int(done.removeprefix("UPDATE "))


async def parties(
    tx: Tx, keepers: Mapping[UUID, UUID], new: Mapping[UUID, Standing]
) -> dict[UUID, set[UUID]]:
    """Return, by child, the school that keeps an alert, and those it was at since the first day."""
    attended = await enrolments.attended(tx, list(new))
    return {
        child: {keepers[child]}
        | {
            school
            for school, since, until in attended.get(child, ())
            if since is not None
            and since <= tx.today
            and (until is None or until > standing.first_absent_day)
        }
        for child, standing in new.items()
    }


_MISSED_SINCE: Final = """
SELECT EXISTS (SELECT FROM dropout_alerts
               WHERE id = $1 AND end_reason = 'recorded' AND last_absent_day > returned_on)
"""


async def missed_since_return(tx: Tx, alert_id: UUID) -> bool:
    """Tell whether an alert counts days after that on which a person had the child back."""
    found: bool = await tx.connection.fetchval(_MISSED_SINCE, alert_id)
    return found
