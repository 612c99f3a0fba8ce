"""The people around a dropout alert, and what they do."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import TOWNSHIP, School, a_school, an_event, push
from tests.jobs import run_jobs

COUNTY = 120119000000


@dataclass(frozen=True, slots=True)
class Around:
    """A school, a teacher of it, the county's education authority and the township."""

    client: httpx.AsyncClient
    database: Database
    school: School
    teacher: Caller
    education: Caller
    township: Caller

    async def absent(self, child_id: UUID, *days: str, **fields: Any) -> httpx.Response:
        """Push days missed without leave and let the worker run."""
        events = [an_event(child_id, day, **fields) for day in days]
        answer = await push(self.client, self.school, *events)
        assert answer.status_code == 202, answer.text
        await run_jobs(self.database)
        return answer

    async def alerts(self, caller: Caller | None = None, **params: str) -> list[dict]:
        answer = await self.client.get(
            "/v1/dropout-alerts", headers=(caller or self.teacher).headers, params=params
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def alert(self, child_id: UUID) -> dict:
        (found,) = await self.alerts(child_id=str(child_id))
        return found

    async def step(
        self, caller: Caller, alert: dict, path: str, body: dict | None = None, **headers: str
    ) -> httpx.Response:
        return await self.client.post(
            f"/v1/dropout-alerts/{alert['id']}/{path}",
            headers={**caller.headers, "if-match": f'"{alert["version"]}"', **headers},
            json=body,
        )

    async def announced(self, *, about: str = "dropout_alerts.%") -> list[str]:
        async with self.database.begin() as tx:
            rows = await tx.connection.fetch(
                "SELECT wire_name FROM events WHERE wire_name LIKE $1 ORDER BY id", about
            )
        return [row["wire_name"].partition(".")[2] for row in rows]


async def everyone(client: httpx.AsyncClient, database: Database, settings: Settings) -> Around:
    school = await a_school(database, settings)
    return Around(
        client,
        database,
        school,
        await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id),
        await a_caller(database, settings, "education_authority", COUNTY),
        await a_caller(database, settings, "township_supervisor", TOWNSHIP),
    )


def an_attempt(**fields: Any) -> dict:
    return {
        "persuaded_on": "2026-11-20",
        "by": "class_teacher",
        "method": "home_visit",
        "outcome": "refused",
        **fields,
    }


def a_report(**fields: Any) -> dict:
    return {"number": "2026-3", "cause": "tired_of_school", "whereabouts": "at_home", **fields}
