"""Callers who file reports, record visits and push attendance, and remember what they were told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.core.clock import local_date, utc_now
from app.core.ids import new_id
from demo.api import Api
from tests.faults.town import Town
from tests.waiting import PATIENCE

AT_ONCE = 4
IMPATIENT_EVERY = 5
"""Every fifth caller never asks again when its answer is lost."""
UNAVAILABLE = 503


@dataclass
class Wish:
    """Something to be stored once, whatever happens. `status` is the answer; None: unknown."""

    kind: str
    id: str
    path: str
    body: dict[str, Any]
    patient: bool
    status: int | None = None
    tries: int = 0

    @property
    def promised(self) -> bool:
        return self.status is not None


@dataclass
class Load:
    """The callers. `on_sent` is told of each request that leaves."""

    town: Town
    callers: dict[str, Api]
    wishes: list[Wish] = field(default_factory=list)
    sent: int = 0
    surprises: list[str] = field(default_factory=list)
    on_sent: Callable[[int], None] = lambda _: None

    @classmethod
    def of(cls, town: Town) -> "Load":
        return cls(
            town,
            {
                "report": town.token("county", "protection"),
                "visit": town.token("county", "care"),
                "attendance": town.token("school_system", "education"),
            },
        )

    async def run(self, count: int) -> None:
        """Send `count` wishes, four at a time, each until it is answered or given up."""
        made = [self._wish(len(self.wishes) + n) for n in range(count)]
        self.wishes += made
        queue = iter(made)

        async def one_after_another() -> None:
            # A connection of its own for each request: nobody's fault but the request's.
            limits = httpx.Limits(max_keepalive_connections=0)
            async with httpx.AsyncClient(
                base_url=self.town.base, timeout=PATIENCE, limits=limits
            ) as http:
                for wish in queue:
                    await self.send(http, wish)

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(one_after_another())

    async def send(self, http: httpx.AsyncClient, wish: Wish) -> None:
        caller = self.callers[wish.kind]
        headers = {
            "authorization": f"Bearer {caller.token}",
            "purpose-of-use": caller.purpose,
            "idempotency-key": wish.id,
        }
        while True:
            try:
                self.sent += 1
                wish.tries += 1
                self.on_sent(self.sent)
                answer = await http.post(wish.path, json=wish.body, headers=headers)
            # Of a connection that is reset as it opens, the client asks where it led to, and fails.
            except (httpx.TransportError, AttributeError) as error:
                refused = isinstance(error, httpx.ConnectError)
            else:
                refused = False
                if answer.is_success:
                    wish.status = answer.status_code
                    return
                if answer.status_code != UNAVAILABLE:
                    self.surprises.append(f"{wish.path}: {answer.status_code} {answer.text}")
                    return
            if not (wish.patient or refused):
                return
            await asyncio.sleep(0.2)

    def _wish(self, number: int) -> Wish:
        make = (_report, _visit, _attendance)[number % 3]
        return make(self.town.pupils[number % len(self.town.pupils)], number)


def _wish(kind: str, identity: str, path: str, body: dict[str, Any], number: int) -> Wish:
    return Wish(kind, identity, path, body, patient=number % IMPATIENT_EVERY != 0)


def _report(child_id: str, number: int) -> Wish:
    body = {
        "id": str(new_id()),
        "child_id": child_id,
        "situations": ["living_alone"],
        "found_at": utc_now().isoformat(),
        "narrative": "测试:独自在家。",
    }
    return _wish("report", body["id"], "/v1/police-reports", body, number)


def _visit(child_id: str, number: int) -> Wish:
    body = {
        "id": str(new_id()),
        "child_id": child_id,
        "visited_on": local_date(utc_now()).isoformat(),
        "visitor_type": "civil_affairs",
        "findings": [{"domain": "life", "abnormal": False}],
    }
    return _wish("visit", body["id"], "/v1/visits", body, number)


def _attendance(child_id: str, number: int) -> Wish:
    identity = str(uuid4())
    now = utc_now()
    event = {
        "source": "urn:test:gate",
        "id": identity,
        "student": {"child_id": child_id},
        "school_day": (local_date(now) - timedelta(days=number % 20)).isoformat(),
        "session": "whole_day",
        "category": "present",
        "time": now.isoformat(),
    }
    return _wish("attendance", identity, "/v1/attendance-events", {"events": [event]}, number)


def a_report(town: Town) -> Wish:
    return _report(town.pupils[0], 1)


STORED = """
SELECT wish.id::text AS id,
       (SELECT count(*) FROM police_reports WHERE id = wish.id) AS reports,
       (SELECT count(*) FROM visits WHERE id = wish.id) AS visits,
       (SELECT count(*) FROM attendance_events WHERE event_id = wish.id::text) AS attendances,
       (SELECT count(*) FROM webhook_deliveries
        WHERE ordering_key = wish.id AND wire_name = 'police_reports.report_filed') AS deliveries,
       (SELECT count(*) FROM events WHERE subject_id = wish.id
        AND wire_name IN ('police_reports.report_filed', 'visits.visit_recorded')) AS events,
       (SELECT count(*) FROM audit_entries WHERE subject_id = wish.id
        AND operation IN ('fileReport', 'recordVisit')) AS audited,
       (SELECT count(*) FROM idempotency_keys WHERE key = wish.id::text) AS keys
FROM unnest($1::uuid[]) AS wish (id)
"""
"""What is stored of each wish: all of it or nothing."""

WHOLE = {
    "report": {"reports": 1, "deliveries": 1, "events": 1, "audited": 1, "keys": 1},
    "visit": {"visits": 1, "events": 1, "audited": 1, "keys": 1},
    "attendance": {"attendances": 1, "keys": 1},
}


async def stored(load: Load) -> dict[str, dict[str, int]]:
    """Count what is stored of each wish; what is not there is left out."""
    rows = await load.town.query(STORED, [wish.id for wish in load.wishes])
    return {
        row["id"]: {name: count for name, count in list(row.items())[1:] if count} for row in rows
    }


async def assert_nothing_lost(load: Load) -> set[str]:
    """Check all wishes against the database; returns the ids of the reports that are stored."""
    assert load.surprises == []
    found = await stored(load)
    for wish in load.wishes:
        whole = WHOLE[wish.kind]
        if "audited" in whole and found[wish.id]:  # a receipt given again is a look, too
            assert 1 <= found[wish.id]["audited"] <= max(wish.tries, 1), wish
            whole = {**whole, "audited": found[wish.id]["audited"]}
        assert found[wish.id] == whole or (not wish.promised and found[wish.id] == {}), wish
    return {wish.id for wish in load.wishes if wish.kind == "report" and found[wish.id]}
