"""Reads of police reports. Every one starts from `visible_reports`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, get_args
from uuid import UUID

import asyncpg
import orjson

from app.access.acts import Act
from app.access.principal import Principal
from app.children import sealing
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import NATION, Tx
from app.core.data.envelopes import Erased
from app.core.data.sql import Where
from app.core.http import paging
from app.police_reports import fetching, models, particulars, rules, schemas
from app.police_reports.acts import ACTS, IN_PLACE, PROTECTOR
from app.police_reports.area import HANDLE, RECEIVE
from app.police_reports.fetching import COLUMNS, Report, opened
from app.police_reports.models import IN_HAND, Party, State, Step
from app.police_reports.schemas.chain import DeliveryShown
from app.police_reports.schemas.reporter import ReporterShown
from app.police_reports.unread import names_who_reports
from app.policy import queries as policy
from app.regions.rules import SPANS

_PROVINCE: Final = SPANS[-1]


def visible_reports(principal: Principal) -> Where:
    """Limit `police_reports r` to those this caller has a part in.

    What a role has a part in follows from its scopes: who handles, who receives, else who files.
    Never an agency that it or a report of its chain speaks against (AZ-8), nor anybody who served
    it; nor an office below `hidden_below` by its remit alone, nor police below `police_below`.
    Row-level security repeats it.
    """
    where = _unhidden(principal)
    return where.add(_any(_arms(where, principal)))


def _unhidden(principal: Principal) -> Where:
    return Where(
        "(r.suspect_agency_id = ANY ({0}::uuid[])) IS NOT TRUE AND NOT r.hidden_from && {0}",
        principal.agencies,
    )


def _any(arms: Sequence[str]) -> str:
    return " OR ".join(f"({arm})" for arm in arms)


def _arms(where: Where, principal: Principal) -> list[str]:
    """Say in what ways a report may be the caller's: of each an index has those in the order of the
    list, or few that are sorted.
    """
    scopes, lo, hi = principal.role.scopes, principal.region_lo, principal.region_hi
    receives = RECEIVE.code in scopes and HANDLE.code not in scopes
    if receives and (lo, hi) == NATION:
        return [f"r.{models.ANYWHERE}"]
    agency = where.bind(principal.agency_id)
    own = f"r.reporter_agency_id = {agency}"
    if HANDLE.code in scopes:
        reached = f"r.police_below <= {where.bind(hi - lo)}"
        return [
            own,
            f"{reached} AND r.police_agency_id = {agency}",
            f"{reached} AND r.forwarded_by_id = {agency}",
            f"{reached} AND cardinality(r.also_told) > 0 AND {agency} = ANY (r.also_told)",
            f"{reached} AND cardinality(r.former_police) > 0 AND {agency} = ANY (r.former_police)",
        ]
    if not receives:
        return [own]
    reached = f"r.hidden_below <= {where.bind(hi - lo)}"
    # Nearly all are of a province: it reads the index of all, which has them in order.
    wide = f" AND r.{models.ANYWHERE}" if hi - lo >= _PROVINCE else ""
    first, end = where.bind(lo), where.bind(hi)
    return [
        own,
        f"{reached} AND r.region_code >= {first} AND r.region_code < {end}{wide}",
        f"{reached} AND r.home_region >= {first} AND r.home_region < {end}{wide}",
        f"{reached} AND cardinality(r.former_homes) > 0 AND {first} = ANY (r.former_homes)",
    ]


def party_of(principal: Principal, report: Mapping[str, Any]) -> Party:
    scopes = principal.role.scopes
    if HANDLE.code in scopes:
        if principal.agency_id in (report["police_agency_id"], *report["also_told"]):
            return Party.POLICE
        theirs = report["reporter_agency_id"] == principal.agency_id
        return Party.REPORTER if theirs else Party.ONLOOKER
    if RECEIVE.code in scopes and PROTECTOR.holds(principal, report, date.min):
        return Party.PROTECTION
    return Party.REPORTER


async def find(
    tx: Tx, principal: Principal, report_id: UUID, *, lock: bool = False
) -> Report | None:
    """Find one report the caller has a part in; `lock` it for a change."""
    where = visible_reports(principal).add("r.id = {}", report_id)
    return await fetching.report(
        tx,
        f"SELECT {COLUMNS} FROM police_reports r WHERE {where}"
        + (" FOR UPDATE OF r" if lock else ""),
        *where.arguments,
    )


async def find_anywhere(tx: Tx, report_id: UUID) -> Report | None:
    """Find a report by its id, whoever has a part in it: to recognise it, not to show it."""
    async with tx.as_system():
        sql = f"SELECT {COLUMNS} FROM police_reports r WHERE r.id = $1"
        return await fetching.report(tx, sql, report_id)


async def page(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    state: State | None,
    overdue: bool | None,
    incident: UUID | None,
    act: Act | None,
) -> paging.Rows:
    """List the reports the caller has a part in, newest first."""
    where = _unhidden(principal)
    arms = _arms(where, principal)
    visible = f"{where} AND ({_any(arms)})"
    joined = _JOINED.format(visible=visible) if act is ACTS["separateReport"] else ""
    where.add_given({"r.state = {}": state})
    if overdue is not None:
        where.add(f"{'' if overdue else 'NOT '}({_OVERDUE})", tx.now)
    if incident is not None:
        named = await _named(tx, principal, incident)
        where.add("r.id = {} OR r.incident_id = {}", *(named or (None, None)))
    if act is not None:
        act.narrow(where, principal, tx.today, alias="r")
    select = f"SELECT {COLUMNS} FROM police_reports r {joined}"
    found = await paging.fetch(tx, select, where, _NEWEST, window, arms)
    return found._replace(
        rows=await as_seen(tx, principal, [opened(tx, row) for row in found.rows])
    )


_JOINED: Final = """
CROSS JOIN LATERAL (SELECT r.id, r.incident_id) AS this
CROSS JOIN LATERAL (SELECT FROM police_reports r
    WHERE {visible} AND r.incident_id = this.incident_id AND r.id <> this.id LIMIT 1) AS other
"""
"""Those that are joined with another that the caller sees, too."""


async def _named(tx: Tx, principal: Principal, incident: UUID) -> asyncpg.Record | None:
    """Find the report after which an event is called, among those the caller sees: by its own id,
    else by what a reporter called the event.
    """
    where = visible_reports(principal).add(_CALLED, incident)
    order = where.bind(incident)
    return await tx.connection.fetchrow(
        f"SELECT r.id, r.incident_id FROM police_reports r WHERE {where}"
        f" ORDER BY r.id = {order} DESC, r.incident_id IS NULL, r.id LIMIT 1",
        *where.arguments,
    )


_CALLED: Final = "r.id = {0} OR r.stated_incident_id = {0}"
_NEWEST: Final = paging.Order({"r.filed_at": datetime, "r.id": UUID}, descending=True)
_OVERDUE: Final = """r.relieved_at IS NULL AND r.acknowledged_at IS NULL
    AND (r.acknowledge_due_at < {0} OR (r.delivered_at IS NULL AND r.deliver_alarm_at < {0}))"""


async def as_seen(
    tx: Tx, principal: Principal, reports: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Show events as if the reports of them were not there in which the caller has no part:
    `joined`, the other reports of each; `incident_id`, the first of all, None for one alone.
    """
    found = list(reports)
    events = list({row["incident_id"] for row in found} - {None})
    where = visible_reports(principal).add(_OF_EVENTS, events)
    rows = await tx.connection.fetch(_SEEN.format(where), *where.arguments) if events else []
    seen = {row["event"]: row["ids"] for row in rows}
    shown = []
    for row in found:
        ids = seen.get(row["incident_id"], [])
        others = [each for each in ids if each != row["id"]]
        shown.append({**row, "incident_id": ids[0] if others else None, "joined": others})
    return shown


_OF_EVENTS: Final = "r.incident_id = ANY ({})"
_SEEN: Final = """
SELECT r.incident_id AS event, (array_agg(r.id ORDER BY r.id))[:51] AS ids
FROM police_reports r WHERE {} GROUP BY r.incident_id
"""


async def agency_kind(tx: Tx, agency_id: UUID) -> str | None:
    kind: str | None = await tx.connection.fetchval(
        "SELECT kind FROM agencies WHERE id = $1 AND active", agency_id
    )
    return kind


async def identity(tx: Tx, home_county: int, child_id: UUID) -> dict[str, Any]:
    """Return what the file says of who a visible child is: name, sex, birth_date; of one that is
    not visible, nothing.
    """
    row = await tx.connection.fetchrow(
        f"SELECT c.id, {sealing.NAMED}, c.sex, c.birth_date FROM children c"
        " WHERE c.home_county = $1 AND c.id = $2",
        home_county,
        child_id,
    )
    return {} if row is None else {**row, "name": sealing.named(tx.keyring, row)[0]}


async def steps(tx: Tx, principal: Principal, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the journal of a report the caller may see, in the order in which things happened;
    each step says by which clock (`rules.happened`). That it was joined with a report in which they
    have no part they do not learn; an office of a former home, of what others did since the move.
    """
    rows = await fetching.steps(
        tx,
        "SELECT * FROM (SELECT * FROM police_report_steps WHERE report_id = $1"
        " ORDER BY recorded_at DESC, id DESC LIMIT 1000) AS latest ORDER BY recorded_at, id",
        report["id"],
    )
    found_at = report["found_at"]
    party = party_of(principal, report)
    if party is Party.PROTECTION and not IN_PLACE.holds(principal, report, date.min):
        async with tx.as_system():
            moved = await tx.connection.fetchval(_MOVED, report["id"])
        rows = [
            row
            for row in rows
            if row["agency_id"] == principal.agency_id or (moved and row["recorded_at"] <= moved)
        ]
    elsewhere = {UUID(other) for row in rows for other in rules.others_of(row)}
    known = await seen(tx, principal, elsewhere) if elsewhere else set()
    return [
        {
            **row,
            "agency_id": row["agency_id"] if rules.shows_agency(party, Step(row["step"])) else None,
            "at_ahead": rules.is_ahead(row),
            "in_order_by": "recorded_at" if rules.doubted(row, found_at) else "at",
        }
        for row in sorted(rows, key=lambda row: rules.happened(row, found_at))
        if rules.shows_step(party, Step(row["step"]))
        and (not (others := rules.others_of(row)) or not known.isdisjoint(map(UUID, others)))
    ]


_MOVED: Final = """
SELECT max(occurred_at) FROM events
WHERE subject_id = $1 AND wire_name = 'police_reports.child_moved'
"""


async def told_of(tx: Tx, step_id: UUID) -> list[UUID]:
    """Return of which other reports a step tells."""
    sql = "SELECT step, codes FROM police_report_steps WHERE id = $1"
    async with tx.as_system():
        return [*map(UUID, rules.others_of(await tx.connection.fetchrow(sql, step_id)))]


async def seen(tx: Tx, principal: Principal, report_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these reports the caller has a part in."""
    where = visible_reports(principal).add("r.id = ANY ({}::uuid[])", list(report_ids))
    rows = await tx.connection.fetch(
        f"SELECT r.id FROM police_reports r WHERE {where}", *where.arguments
    )
    return {row["id"] for row in rows}


_situations: Final = policy.lookup("report.situations")


def reported(report: Mapping[str, Any]) -> rules.Reported:
    """Return what a report asks of the police, by the list of its place on the day it was filed."""
    return rules.reported(
        report["situations"],
        _situations(report["region_code"], local_date(report["filed_at"])),
        get_args(schemas.DispositionKind),
        others="situation_unknown" in report["doubts"],
    )


_measures: Final = policy.lookup("report.measures")
_placement: Final = policy.lookup("report.violence_placement")


def unsaid(report: Mapping[str, Any], journal: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the police still have to say of what they did, by the lists of a report's place
    on the day it was filed.
    """
    place = (report["region_code"], local_date(report["filed_at"]))
    told = particulars.told(
        step["codes"]
        for step in journal
        if step["step"] == Step.DISPOSED and step["codes"].get("counted", True)
    )
    named = _placement(*place) == "three_conditions"
    return particulars.unsaid(told, _measures(*place), named_danger=named)


async def reporter(tx: Tx, report: Report) -> ReporterShown:
    """Return who made a report that this caller's agency is in charge of (AZ-9)."""
    sealed = await tx.connection.fetchval(
        "SELECT person_sealed FROM police_reporters WHERE report_id = $1", report["id"]
    )
    await keys.of_values(tx, sealed)
    nobody = {"name": None, "phone": None, "position": None, "as_sent": None}
    person = said_in(tx, models.PERSON, report["id"], sealed)
    unnamed = person.keys() <= {"as_sent"} and not names_who_reports(person.get("as_sent"))
    return ReporterShown.model_validate(
        {"anonymous": unnamed, **nobody, **person, "agency_id": report["reporter_agency_id"]}
    )


def said_in(tx: Tx, place: str, row: UUID, sealed: bytes | None) -> dict[str, Any]:
    """Return what is sealed in a row of a report whose key is open; nothing if that was erased."""
    try:
        return orjson.loads(tx.keyring.unseal_bytes(place, row, sealed)) if sealed else {}
    except Erased:
        return {}


_DELIVERIES = """
SELECT d.webhook_id, d.agency_id, d.state, d.created_at AS queued_at, d.delivered_at,
       d.attempts AS attempt_count,
       (SELECT coalesce(jsonb_agg(a ORDER BY a.number), '[]') FROM
           (SELECT number, started_at AS at, status FROM webhook_attempts
            WHERE delivery_id = d.id ORDER BY number DESC LIMIT 20) a) AS attempts
FROM webhook_deliveries d
WHERE d.delivery_class = 'M'
  AND d.event_id IN (SELECT id FROM events WHERE subject_id = $1)
ORDER BY d.created_at, d.id LIMIT 50
"""


async def deliveries(tx: Tx, report_id: UUID) -> list[DeliveryShown]:
    """Return how a report the caller may see travelled to the police: times and statuses.
    Deliveries belong to the police's agency; these few columns are proof for every party.
    """
    async with tx.as_system():
        rows = await tx.connection.fetch(_DELIVERIES, report_id)
    return [DeliveryShown(**row) for row in rows]


_IN_HAND: Final = f"SELECT true FROM police_reports WHERE police_agency_id = $1 AND {IN_HAND}"


async def has_in_hand(tx: Tx, agency_id: UUID) -> bool:
    """Tell whether police have a report that is not with the township. Needs the SYSTEM reach."""
    return await tx.connection.fetchval(f"{_IN_HAND} LIMIT 1", agency_id) is not None
