"""A school with pupils and its attendance system, and the events it pushes."""

from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from app.children.queries import ChildRef
from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller, an_agency
from tests.children.factories import a_child

TOWNSHIP = 120119101000
VILLAGE = 120119101200

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class School:
    """A school agency and the token of its attendance system."""

    id: UUID
    system: Caller

    async def pupil(self, database: Database, region_code: int = VILLAGE) -> ChildRef:
        return await a_child(database, region_code, school_id=self.id)


async def a_school(database: Database, settings: Settings, region_code: int = TOWNSHIP) -> School:
    agency = await an_agency(database, "school", region_code)
    system = await a_caller(database, settings, "school_system", region_code, agency_id=agency)
    return School(agency, system)


def an_event(child_id: UUID, school_day: date | str = "2026-11-20", **fields: Any) -> dict:
    """An unexcused whole day, with an id no other event has."""
    return {
        "source": "urn:school:test:gate",
        "id": f"event-{next(_numbers)}",
        "student": {"child_id": str(child_id)},
        "school_day": str(school_day),
        "session": "whole_day",
        "category": "unexcused",
        "time": f"{school_day}T08:05:00+08:00",
        **fields,
    }


async def push(
    client: httpx.AsyncClient, school: School, *events: dict, **headers: str
) -> httpx.Response:
    return await client.post(
        "/v1/attendance-events",
        headers={**school.system.headers, **headers},
        json={"events": list(events)},
    )


def statuses(answer: httpx.Response) -> list[str]:
    return [result["status"] for result in answer.json()["results"]]


def codes(answer: httpx.Response) -> list[str]:
    return [result["code"] for result in answer.json()["results"]]
