"""Offices of one place and reports for tests."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from app.core.data import keys
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.core.jobs.case_codes import with_codes
from app.core.settings import Settings
from app.police_reports import fetching
from app.regions.rules import lineage
from app.webhooks.events import DeliverySucceeded
from app.webhooks.models import WebhookEndpoint
from app.webhooks.operations.endpoints import subscribe
from tests.access.factories import Caller, an_agency, callers
from tests.regions.factories import some_regions

COUNTY = 120119000000
TOWNSHIP = 120119101000
VILLAGE = 120119101200
CANARY = "金丝雀举报人"
"""A reporter's name that must appear nowhere but where reporters are read."""


@dataclass(frozen=True, slots=True)
class Offices:
    """Everybody with a part in a report of VILLAGE."""

    village: Caller
    school: Caller
    police: Caller
    township: Caller
    county: Caller


async def the_offices(database: Database, settings: Settings) -> Offices:
    made = await callers(
        database,
        settings,
        village=("village_director", VILLAGE),
        school=("school", TOWNSHIP),
        police=("police", TOWNSHIP),
        township=("township_supervisor", TOWNSHIP),
        county=("civil_affairs", COUNTY),
    )
    found = Offices(**made)
    await an_endpoint(database, found.police.agency_id, TOWNSHIP)
    await some_regions(database, *lineage(VILLAGE)[:-1])
    return found


async def who_reported(
    client: httpx.AsyncClient, officer: Caller, report: str | UUID
) -> httpx.Response:
    """Read alone who reported; `report`: its id or place."""
    place = str(report)
    place = place if place.startswith("/") else f"/v1/police-reports/{place}"
    said = {"reason": "孩子可能处于危险,须立即核实。"}
    return await client.post(f"{place}/reporter/reading", json=said, headers=officer.headers)


async def an_endpoint(
    database: Database,
    agency_id: UUID,
    region: int,
    *,
    relation: str = "none",
    takes: str = "police_reports.*",
) -> UUID:
    """Register where an agency is told of everything about reports, or of another package."""
    chosen = new_id()
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            WebhookEndpoint(
                id=chosen,
                agency_id=agency_id,
                url="https://police.example/hook",
                description="test",
                event_types=[takes],
                mandatory=True,
                relation=relation,
                region_code=region,
                region_lo=0,
                region_hi=10**12,
                secret_sealed=b"-",
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
        await tx.flush()
        await subscribe(tx, chosen)
    return chosen


async def rows(database: Database, table: str) -> list[dict[str, Any]]:
    """Everything in a table, with the codes that are sealed of it."""
    async with database.begin(SYSTEM) as tx:
        found = await tx.connection.fetch(f"SELECT * FROM {table}")
        if table.startswith("events"):
            return await with_codes(tx, found)
        await keys.of_rows(tx, found)
        if table.startswith("police_report_steps"):
            return [{**row, "codes": fetching.step_codes(tx.keyring, row)} for row in found]
        if table.startswith("police_reports"):
            return [fetching.opened(tx, row) for row in found]
        return [dict(row) for row in found]


def a_report(**fields: Any) -> dict[str, Any]:
    """The body of a report about a child without a file."""
    return {
        "subject": {"name": "测二", "sex": "male", "approximate_age": 9, "place": "村东头"},
        "region_code": str(VILLAGE),
        "situations": ["living_alone"],
        "urgency": "immediate",
        "found_at": "2026-11-20T09:30:00+08:00",
        "narrative": "孩子独自在家已有三天。",
        "reporter": {"name": CANARY, "phone": "022-00000000", "position": "教师"},
        **fields,
    }


async def filed(client: Any, caller: Caller, **fields: Any) -> str:
    """File a report; returns its id."""
    answer = await client.post(
        "/v1/police-reports", json=a_report(**fields), headers=caller.headers
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def police_at(database: Database, region: int, *, endpoint: bool = True) -> UUID:
    agency = await an_agency(database, "police", region)
    if endpoint:
        await an_endpoint(database, agency, region)
    return agency


async def delivered(
    database: Database,
    report_id: str,
    *,
    to: UUID | None = None,
    delivery_id: UUID | None = None,
) -> None:
    """What the sender does when the police's system answers 200; `to` names one of several
    agencies, `delivery_id` one of several deliveries.
    """
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "UPDATE webhook_deliveries SET state = 'succeeded', delivered_at = $2, attempts = 2"
            " WHERE ordering_key = $1 AND ($3::uuid IS NULL OR agency_id = $3)"
            " AND ($4::uuid IS NULL OR id = $4) RETURNING *",
            UUID(report_id),
            tx.now,
            to,
            delivery_id,
        )
        for number, status in ((1, 503), (2, 200)):
            await tx.connection.execute(
                "INSERT INTO webhook_attempts (id, delivery_id, agency_id, number, trigger,"
                " started_at, duration_ms, status, response_truncated, key_ids)"
                " VALUES ($1, $2, $3, $4, 'auto', $5, 3, $6, false, '{}')",
                new_id(),
                row["id"],
                row["agency_id"],
                number,
                tx.now,
                status,
            )
        await spine.publish(
            tx,
            DeliverySucceeded(
                subject_id=row["ordering_key"],
                region_code=row["region_code"],
                home_county=row["home_county"],
                delivery_id=row["id"],
                source_event_id=row["event_id"],
                source_wire_name=row["wire_name"],
                agency_id=row["agency_id"],
                told_to=row["told_to"],
            ),
        )
