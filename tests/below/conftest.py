"""A township whose child has a file, visits, attendance and an alert, with several connections."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import main
from app.core.data import db
from app.core.ids import new_id
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import School, a_school, an_event, push
from tests.children.factories import a_file
from tests.dropout_alerts.factories import an_attempt
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit

VILLAGE, NEXT_VILLAGE, TOWNSHIP, COUNTY = 120119101200, 120119101201, 120119101000, 120119000000
NUMBER = "G000000000000000001"


@dataclass
class Town:
    """Everybody who writes below a child. `alert`: the id of the child's open alert."""

    client: httpx.AsyncClient
    database: db.Database
    supervisor: Caller
    school: School
    teacher: Caller
    education: Caller
    child: str
    visit: dict[str, Any]
    alert: str = ""

    async def opens_file(self, name: str, number: str) -> str:
        identity = {**a_file(VILLAGE)["identity"], "name": name, "resident_id": None}
        answer = await self.client.post(
            "/v1/children",
            json=a_file(
                VILLAGE,
                identity=identity,
                education={
                    "stage": "primary",
                    "status": "enrolled",
                    "school_id": str(self.school.id),
                    "student_numbers": [{"system": "student_status", "number": number}],
                },
            ),
            headers=self.supervisor.headers,
        )
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def open_again(self) -> None:
        """Open a file for a child that has one: its phone's id becomes another name of that."""
        identity = {**a_file(VILLAGE)["identity"], "name": "样小一"}
        answer = await self.client.post(
            "/v1/children",
            json=a_file(VILLAGE, id=str(new_id()), identity=identity),
            headers=self.supervisor.headers,
        )
        assert answer.status_code == 409, answer.text

    async def change(self, **sections: Any) -> httpx.Response:
        async with self.database.begin(db.SYSTEM) as tx:
            version = await tx.connection.fetchval(
                "SELECT version FROM children WHERE id = $1::uuid", self.child
            )
        return await self.client.patch(
            f"/v1/children/{self.child}",
            json=sections,
            headers={**self.supervisor.headers, "if-match": f'"{version}"'},
        )

    async def move(self, region_code: int = NEXT_VILLAGE) -> httpx.Response:
        return await self.change(residence={"region_code": f"{region_code:012d}"})

    async def record_visit(self, child: str | None = None) -> httpx.Response:
        return await self.client.post(
            "/v1/visits", json=a_visit(child or self.child), headers=self.supervisor.headers
        )

    async def correct_visit(self) -> httpx.Response:
        return await self.client.patch(
            f"/v1/visits/{self.visit['id']}",
            json={"place": "school"},
            headers={**self.supervisor.headers, "if-match": '"1"'},
        )

    async def push_absence(self) -> httpx.Response:
        return await push(self.client, self.school, an_event(self.child, "2026-11-17"))

    async def push_absence_by_number(self) -> httpx.Response:
        number = {"system": "student_status", "number": NUMBER}
        event = an_event(self.child, "2026-11-17", student=number)
        return await push(self.client, self.school, event)

    async def persuade(self) -> httpx.Response:
        return await self.client.post(
            f"/v1/dropout-alerts/{self.alert}/persuasions",
            json=an_attempt(final=True),
            headers={**self.teacher.headers, "if-match": '"1"'},
        )


@pytest.fixture
async def town(app, settings, patient) -> AsyncIterator[Town]:
    async with main.state(settings, patient) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await some_regions(patient, VILLAGE, NEXT_VILLAGE)
            school = await a_school(patient, settings)
            made = Town(
                client,
                patient,
                await a_caller(patient, settings, "township_supervisor", TOWNSHIP),
                school,
                await a_caller(patient, settings, "school", TOWNSHIP, agency_id=school.id),
                await a_caller(patient, settings, "education_authority", COUNTY),
                child="",
                visit={},
            )
            made.child = await made.opens_file("样小一", NUMBER)
            made.visit = (await made.record_visit()).json()
            yield made


async def with_alert(town: Town) -> None:
    """Let the child be absent long enough for an alert."""
    days = ("2026-11-18", "2026-11-19", "2026-11-20")
    await push(town.client, town.school, *(an_event(town.child, day) for day in days))
    await run_jobs(town.database)
    answer = await town.client.get("/v1/dropout-alerts", headers=town.teacher.headers)
    (alert,) = answer.json()["items"]
    town.alert = alert["id"]
