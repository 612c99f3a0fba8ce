"""Reads of police reports. Every one starts from `visible_reports`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef, Visible
from app.core.data.db import Tx
from app.core.http import paging
from app.core.http.wire import region_text
from app.police_reports import answers, models, rules
from app.police_reports.area import HANDLE, RECEIVE
from app.police_reports.models import Party, State, Step
from app.regions.rules import lineage

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = 10**16
_OFFICE_KINDS: Final = ("police", "township_government", "civil_affairs")


def visible_reports(principal: Principal) -> Visible:
    """Limit `police_reports r` to those this caller has a part in; `$1` is the caller's agency.

    What a role has a part in follows from its scopes: who handles, who receives, else who files.
    Never the agency a report speaks against (AZ-8). Row-level security repeats it.
    """
    scopes = principal.role.scopes
    mine: tuple[Any, ...] = (principal.agency_id,)
    if HANDLE.code in scopes:
        party = "r.police_agency_id = $1 OR r.forwarded_by_id = $1"
    elif RECEIVE.code in scopes:
        party = "r.reporter_agency_id = $1 OR (r.region_code >= $2 AND r.region_code < $3)"
        mine = (*mine, principal.region_lo, principal.region_hi)
    else:
        party = "r.reporter_agency_id = $1"
    return Visible(f"r.suspect_agency_id IS DISTINCT FROM $1 AND ({party})", mine)


def party_of(principal: Principal, report: asyncpg.Record) -> Party:
    """Return what the caller is to a report they may see."""
    scopes = principal.role.scopes
    if HANDLE.code in scopes:
        in_charge = report["police_agency_id"] == principal.agency_id
        return Party.POLICE if in_charge else Party.ONLOOKER
    if (
        RECEIVE.code in scopes
        and principal.region_lo <= report["region_code"] < principal.region_hi
    ):
        return Party.PROTECTION
    return Party.REPORTER


async def find(
    tx: Tx, principal: Principal, report_id: UUID, *, lock: bool = False
) -> asyncpg.Record | None:
    """Find one report the caller has a part in; `lock` it for a change."""
    remit = visible_reports(principal)
    return await tx.connection.fetchrow(
        f"SELECT r.* FROM police_reports r WHERE {remit.sql} AND r.id = ${remit.next}"
        + (" FOR UPDATE" if lock else ""),
        *remit.arguments,
        report_id,
    )


async def page(
    tx: Tx,
    principal: Principal,
    *,
    state: State | None,
    overdue: bool | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[asyncpg.Record], str | None]:
    """List the reports the caller has a part in, newest first; returns rows and next cursor."""
    remit = visible_reports(principal)
    after = _position(cursor)
    at = remit.next
    rows = await tx.connection.fetch(
        f"""SELECT r.* FROM police_reports r WHERE {remit.sql}
            AND (${at}::text IS NULL OR r.state = ${at})
            AND (${at + 1}::bool IS NULL OR ${at + 1} = ({_OVERDUE.format(now=at + 2)}))
            AND (${at + 3}::timestamptz IS NULL OR (r.filed_at, r.id) < (${at + 3}, ${at + 4}))
            ORDER BY r.filed_at DESC, r.id DESC LIMIT ${at + 5}""",
        *remit.arguments,
        state,
        overdue,
        tx.now,
        *after,
        limit + 1,
    )
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    since_epoch = (last["filed_at"] - _EPOCH) // _MICROSECOND
    return rows[:limit], paging.encode(since_epoch, str(last["id"]))


_OVERDUE = """r.superseded_by_id IS NULL AND r.acknowledged_at IS NULL
    AND (r.acknowledge_due_at < ${now}::timestamptz
         OR (r.delivered_at IS NULL AND r.deliver_alarm_at < ${now}::timestamptz))"""


def _position(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    keys = paging.decode(cursor, int, UUID)
    if keys is None:
        return None, None
    if not 0 <= keys[0] < _LATEST:
        raise paging.CursorInvalid
    return _EPOCH + keys[0] * _MICROSECOND, keys[1]


async def offices(tx: Tx, region_code: int, suspect: UUID | None) -> rules.Offices:
    """Return who is in charge of a place, the agency reported left out. One statement."""
    path = lineage(region_code)
    rows = await tx.connection.fetch(
        "SELECT id, kind, region_code FROM agencies"
        " WHERE active AND kind = ANY($1::text[]) AND region_code = ANY($2::bigint[])",
        _OFFICE_KINDS,
        path,
    )
    return rules.offices((rules.Office(**row) for row in rows), path, suspect=suspect)


async def agency_kind(tx: Tx, agency_id: UUID) -> str | None:
    """Return the kind of an active agency."""
    kind: str | None = await tx.connection.fetchval(
        "SELECT kind FROM agencies WHERE id = $1 AND active", agency_id
    )
    return kind


async def identity(tx: Tx, child: ChildRef) -> asyncpg.Record:
    """Return what the file says of who a visible child is: name, sex, birth_date."""
    return await tx.connection.fetchrow(
        "SELECT name, sex, birth_date FROM children WHERE home_county = $1 AND id = $2",
        child.home_county,
        child.id,
    )


async def steps(tx: Tx, report_id: UUID) -> list[asyncpg.Record]:
    """Return the journal of a report the caller may see, oldest first."""
    rows: list[asyncpg.Record] = await tx.connection.fetch(
        "SELECT * FROM police_report_steps WHERE report_id = $1 ORDER BY recorded_at, id"
        " LIMIT 1000",
        report_id,
    )
    return rows


async def reporter(tx: Tx, report: asyncpg.Record) -> answers.ReporterShown:
    """Return who made a report that this caller's agency is in charge of (AZ-9)."""
    sealed = await tx.connection.fetchval(
        "SELECT person_sealed FROM police_reporters WHERE report_id = $1", report["id"]
    )
    nobody = {"name": None, "phone": None, "position": None}
    person = orjson.loads(tx.keyring.unseal(models.PERSON, report["id"], sealed)) if sealed else {}
    return answers.ReporterShown.model_validate(
        {
            "anonymous": not sealed,
            **nobody,
            **person,
            "agency_id": report["reporter_agency_id"],
        }
    )


_DELIVERIES = """
SELECT d.webhook_id, d.agency_id, d.state, d.created_at, d.delivered_at, d.attempts,
       (SELECT coalesce(jsonb_agg(a ORDER BY a.number), '[]') FROM
           (SELECT number, started_at AS at, status FROM webhook_attempts
            WHERE delivery_id = d.id ORDER BY number DESC LIMIT 20) a) AS attempt_log
FROM webhook_deliveries d
WHERE d.delivery_class = 'M'
  AND d.event_id IN (SELECT id FROM events WHERE subject_id = $1)
ORDER BY d.created_at, d.id LIMIT 50
"""


async def deliveries(tx: Tx, principal: Principal, report_id: UUID) -> list[answers.DeliveryShown]:
    """Return how a report the caller may see travelled to the police: times and statuses.

    Deliveries belong to the police's agency; these few columns are proof for every party.
    """
    switch = "SELECT set_config('tonghu.caller', $1, true)"
    await tx.connection.execute(switch, "system")
    rows = await tx.connection.fetch(_DELIVERIES, report_id)
    await tx.connection.execute(switch, principal.subject)
    return [
        answers.DeliveryShown(
            webhook_id=row["webhook_id"],
            agency_id=row["agency_id"],
            state=row["state"],
            queued_at=row["created_at"],
            delivered_at=row["delivered_at"],
            attempt_count=row["attempts"],
            attempts=row["attempt_log"],
        )
        for row in rows
    ]


def summary(report: asyncpg.Record, party: Party, now: datetime) -> answers.ReportSummary:
    """Show where a report stands, to a party."""
    return answers.ReportSummary.model_validate(_summary_fields(report, party, now))


def _summary_fields(report: asyncpg.Record, party: Party, now: datetime) -> dict[str, Any]:
    open_ = report["superseded_by_id"] is None and report["acknowledged_at"] is None
    shows_agency = rules.shows_reporter_agency(party)
    return {
        **{name: report[name] for name in answers.ReportSummary.model_fields if name in report},
        "region_code": region_text(report["region_code"]),
        "acknowledgement_overdue": open_
        and rules.is_overdue(None, report["acknowledge_due_at"], now),
        "delivery_overdue": open_
        and rules.is_overdue(report["delivered_at"], report["deliver_alarm_at"], now),
        "reporter_agency_id": report["reporter_agency_id"] if shows_agency else None,
        "supersedes": report["supersedes_id"],
        "superseded_by": report["superseded_by_id"],
    }


def whole(
    tx: Tx, report: asyncpg.Record, journal: Sequence[asyncpg.Record], party: Party
) -> answers.Report:
    """Show a report with what a party may read of it."""
    shown = rules.shows_report(party)
    key = str(report["id"])
    unseal = tx.keyring.unseal
    return answers.Report.model_validate(
        {
            **_summary_fields(report, party, tx.now),
            "party": party.value,
            "channel": report["channel"],
            "subject": orjson.loads(unseal(models.SUBJECT, key, report["subject_sealed"]))
            if shown
            else None,
            "narrative": unseal(models.NARRATIVE, key, report["narrative_sealed"])
            if shown
            else None,
            "suspect_agency_id": report["suspect_agency_id"] if shown else None,
            "visit_id": report["visit_id"] if shown else None,
            "steps": [
                {**step, "details": _details(tx, step) if _open(party, step) else None}
                for step in journal
            ],
        }
    )


def _open(party: Party, step: asyncpg.Record) -> bool:
    return rules.shows_details(party, Step(step["step"]))


def _details(tx: Tx, step: asyncpg.Record) -> dict[str, Any]:
    sealed = step["details_sealed"]
    told = {
        **step["codes"],
        **(orjson.loads(tx.keyring.unseal(models.DETAILS, step["id"], sealed)) if sealed else {}),
        "police_reference": step["reference"],
    }
    return {name: told.get(name) for name in answers.StepDetails.model_fields}
