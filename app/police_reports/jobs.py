"""What happens to reports in the background: proof of delivery, alarms, second routing."""

from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.core.jobs import queue
from app.police_reports import events, queries, rules
from app.police_reports.models import State, Step
from app.police_reports.operations.filing import announce, change
from app.police_reports.operations.steps import redeliver
from app.regions import following
from app.regions.events import RegionReplaced
from app.webhooks.events import DeliverySucceeded

_PER_RUN: Final = 200


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let reports lie where their place is now: its offices go on seeing them."""
    await following.shift(tx, event, "police_reports", "region_code")


@spine.on(DeliverySucceeded)
async def mark_delivered(tx: Tx, delivered: DeliverySucceeded) -> None:
    """Note that the police's system has taken a report (R24). The delivery's id is the step's."""
    if not delivered.source_wire_name.startswith("police_reports."):
        return
    report = await tx.connection.fetchrow(
        "SELECT * FROM police_reports WHERE id = $1 FOR UPDATE", delivered.subject_id
    )
    at = await tx.connection.fetchval(
        "SELECT delivered_at FROM webhook_deliveries WHERE id = $1", delivered.delivery_id
    )
    if report is None or not await _note_delivery(tx, report, delivered, at or tx.now):
        return
    if report["police_agency_id"] == delivered.agency_id and report["delivered_at"] is None:
        state, _ = rules.advance(State(report["state"]), Step.DELIVERED)
        await change(tx, report["id"], delivered_at=at or tx.now, state=state)
        await announce(tx, events.ReportDelivered, report)


@queue.every("police_reports.mark_overdue", "* * * * *")
async def mark_overdue(tx: Tx, payload: dict[str, Any]) -> None:
    """Announce, once each, the reports not delivered or not accepted in time (REP-07)."""
    for column, condition, kind in (
        ("acknowledgement_alarmed_at", "acknowledge_due_at < $1", events.AcknowledgementOverdue),
        (
            "delivery_alarmed_at",
            "delivered_at IS NULL AND deliver_alarm_at < $1",
            events.DeliveryOverdue,
        ),
    ):
        late = await tx.connection.fetch(
            f"""UPDATE police_reports SET {column} = $1 WHERE id IN (
                    SELECT id FROM police_reports
                    WHERE acknowledged_at IS NULL AND superseded_by_id IS NULL
                      AND {column} IS NULL AND {condition}
                    ORDER BY filed_at LIMIT $2 FOR UPDATE SKIP LOCKED)
                RETURNING *""",
            tx.now,
            _PER_RUN,
        )
        for report in late:
            await announce(tx, kind, report)


@queue.every("police_reports.route_waiting", "* * * * *")
async def route_waiting(tx: Tx, payload: dict[str, Any]) -> None:
    """Try again to bring reports on their way that no police endpoint has taken so far."""
    waiting = await tx.connection.fetch(
        """SELECT * FROM police_reports
           WHERE routing <> 'routed' AND acknowledged_at IS NULL AND superseded_by_id IS NULL
           ORDER BY filed_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        _PER_RUN,
    )
    for report in waiting:
        await _route(tx, report)


async def _route(tx: Tx, report: asyncpg.Record) -> None:
    police = report["police_agency_id"]
    if police is None:
        offices = await queries.offices(tx, report["region_code"], report["suspect_agency_id"])
        police = offices.police
    if police is None:
        return
    due_at = report["acknowledge_due_at"]
    routed = await redeliver(tx, report, police, due_at)
    if report["police_agency_id"] is None:
        found = {"police_agency_id": police, "acknowledge_due_at": due_at}
        await announce(tx, events.ReportForwarded, report, **found)
    elif not routed:
        return
    routing = "routed" if routed else "no_endpoint"
    await change(tx, report["id"], police_agency_id=police, routing=routing)


async def _note_delivery(
    tx: Tx, report: asyncpg.Record, delivered: DeliverySucceeded, at: datetime
) -> bool:
    """Append the step; False if it was there already, since handlers may run twice."""
    _, early = rules.advance(State(report["state"]), Step.DELIVERED)
    noted: str = await tx.connection.execute(
        """INSERT INTO police_report_steps (id, home_county, report_id, step, at, recorded_at,
               agency_id, codes, content_index, out_of_order)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING""",
        delivered.delivery_id,
        report["home_county"],
        report["id"],
        Step.DELIVERED,
        at,
        tx.now,
        delivered.agency_id,
        orjson.dumps({"event_id": delivered.source_event_id}).decode(),
        b"",  # nobody states it, so nobody can state the same again
        early,
    )
    return noted == "INSERT 0 1"
