"""Reads of the ledger. Every one starts from `visible`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.duties import schemas
from app.duties.rulebook import rules, rules_seen_by
from app.duties.rules import ONCE, Quarter

VISIT_RULE: Final = "VIS-01"
"""The rule whose duties make up the coverage of visits."""


@dataclass(frozen=True, slots=True)
class Visible:
    """An SQL condition on the alias `d` of `duties`, and its arguments."""

    sql: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of duties is narrowed to; None means any."""

    state: str | None = None
    rule: str | None = None
    due_before: datetime | None = None
    child_id: UUID | None = None
    priority: bool | None = None
    region: tuple[int, int] | None = None


def visible(principal: Principal) -> Visible:
    """Limit `duties d` to what the caller may know of.

    A role with a region sees its region's duties under the rules its role sees (`seen_by`), unless
    the duty names the agencies that may know (AZ-8); others see what their own agency owes.
    """
    if principal.role.relation != "region":
        return Visible("d.bearer_agency_id = $1", (principal.agency_id,))
    return Visible(
        "d.region_code >= $1 AND d.region_code < $2 AND d.rule = ANY ($3::text[])"
        " AND (d.told_to IS NULL OR $4 = ANY (d.told_to))",
        (
            principal.region_lo,
            principal.region_hi,
            rules_seen_by(principal.role.code),
            principal.agency_id,
        ),
    )


async def list_duties(
    tx: Tx,
    principal: Principal,
    filters: Filters,
    *,
    after: Sequence[Any] | None,
    limit: int,
) -> list[schemas.Duty]:
    """Return visible duties in the order they fall due, from `after` = (due_at, id) on."""
    remit = visible(principal)
    conditions, arguments = [remit.sql], list(remit.arguments)

    def narrow(condition: str, *values: Any) -> None:
        places = (f"${len(arguments) + n}" for n in range(1, len(values) + 1))
        conditions.append(condition.format(*places))
        arguments.extend(values)

    if filters.state is not None:
        narrow("d.state = {}", filters.state)
    if filters.rule is not None:
        narrow("d.rule = {}", filters.rule)
    if filters.due_before is not None:
        narrow("d.due_at < {}", filters.due_before)
    if filters.child_id is not None:
        narrow("d.child_id = {}", filters.child_id)
    if filters.priority is not None:
        narrow("d.priority = {}", filters.priority)
    if filters.region is not None:
        narrow("d.region_code >= {} AND d.region_code < {}", *filters.region)
    if after is not None:
        narrow("(d.due_at, d.id) > ({}, {})", *after)
    rows = await tx.connection.fetch(
        f"SELECT d.* FROM duties d WHERE {' AND '.join(conditions)}"
        f" ORDER BY d.due_at, d.id LIMIT {int(limit)}",
        *arguments,
    )
    return [_duty(row) for row in rows]


def _duty(row: Any) -> schemas.Duty:
    rule = rules()[row["rule"]]
    return schemas.Duty(
        id=row["id"],
        rule=row["rule"],
        title_zh=rule.title.zh,
        title_en=rule.title.en,
        child_id=row["child_id"],
        subject_id=row["subject_id"],
        region_code=region_text(row["region_code"]),
        bearer=schemas.Bearer(role=row["bearer_role"], agency_id=row["bearer_agency_id"]),
        priority=row["priority"],
        period=row["period"] or None,
        state=row["state"],
        opened_at=row["opened_at"],
        due_at=row["due_at"],
        overdue_at=row["overdue_at"],
        discharged_at=row["discharged_at"],
        discharged_on=row["discharged_on"],
        discharged_by=row["discharged_by"],
        version=row["version"],
    )


async def counts(
    tx: Tx, principal: Principal, quarter: Quarter, region: tuple[int, int]
) -> list[schemas.DutyCounts]:
    """Count duties by rule: those of the quarter, and older ones without a period still owed."""
    remit = visible(principal)
    n = len(remit.arguments)
    rows = await tx.connection.fetch(
        f"""
        SELECT d.rule, count(*) FILTER (WHERE d.state = 'open') AS open,
               count(*) FILTER (WHERE d.state = 'overdue') AS overdue,
               count(*) FILTER (WHERE d.state = 'discharged') AS discharged,
               count(*) FILTER (WHERE d.state = 'discharged' AND d.overdue_at IS NOT NULL)
                   AS discharged_late,
               count(*) FILTER (WHERE d.state = 'cancelled') AS cancelled
        FROM duties d
        WHERE {remit.sql} AND d.region_code >= ${n + 1} AND d.region_code < ${n + 2}
          AND (d.period = ${n + 3} OR (d.period = '{ONCE}' AND d.opened_at < ${n + 5}
               AND (d.opened_at >= ${n + 4} OR d.state IN ('open', 'overdue'))))
        GROUP BY d.rule ORDER BY d.rule
        """,
        *remit.arguments,
        *region,
        quarter.code,
        quarter.begins,
        quarter.ends,
    )
    titles = rules()
    return [
        schemas.DutyCounts(
            title_zh=titles[row["rule"]].title.zh, title_en=titles[row["rule"]].title.en, **row
        )
        for row in rows
    ]


async def coverage(
    tx: Tx, principal: Principal, quarter: Quarter, region: tuple[int, int]
) -> list[schemas.Coverage]:
    """Count children who must be visited in the quarter and those who were (VIS-02)."""
    remit = visible(principal)
    n = len(remit.arguments)
    rows = await tx.connection.fetch(
        f"""
        SELECT g."group", g.code, count(*) AS owed,
               count(*) FILTER (WHERE d.state = 'discharged') AS visited
        FROM duties d CROSS JOIN LATERAL (
            SELECT 'all' AS "group", NULL AS code
            UNION ALL SELECT 'priority', NULL WHERE d.priority
            UNION ALL SELECT 'category', unnest(d.categories)
            UNION ALL SELECT 'priority_flag', unnest(d.priority_flags)
        ) AS g
        WHERE {remit.sql} AND d.region_code >= ${n + 1} AND d.region_code < ${n + 2}
          AND d.rule = '{VISIT_RULE}' AND d.period = ${n + 3} AND d.state <> 'cancelled'
        GROUP BY g."group", g.code ORDER BY g."group", g.code
        """,
        *remit.arguments,
        *region,
        quarter.code,
    )
    return [schemas.Coverage(**row, gap=row["owed"] - row["visited"]) for row in rows]
