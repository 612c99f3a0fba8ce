"""A pupil with a file, whose school the county changes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_file

NUMBER = {"system": "student_status", "number": "G-CANARY-1"}


@dataclass(frozen=True, slots=True)
class Pupil:
    """One child and the office that keeps the file, of a province: it sees every move."""

    client: httpx.AsyncClient
    office: Caller
    id: UUID

    async def change(self, **sections: Any) -> None:
        """Change sections of the file, whatever its version."""
        read = await self.client.get(f"/v1/children/{self.id}", headers=self.office.headers)
        answer = await self.client.patch(
            f"/v1/children/{self.id}",
            json=sections,
            headers={**self.office.headers, "if-match": read.headers["etag"]},
        )
        assert answer.status_code == 200, answer.text

    async def enrol(self, school_id: UUID | None, **fields: Any) -> None:
        school = None if school_id is None else str(school_id)
        await self.change(education={"school_id": school, **fields})

    async def enrolments(self, caller: Caller | None = None) -> list[dict[str, Any]]:
        answer = await self.client.get(
            f"/v1/children/{self.id}/enrolments", headers=(caller or self.office).headers
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def spans(self) -> list[tuple[str, str | None, str, str | None]]:
        """School, class, since and until of each enrolment, earliest first."""
        names = ("school_id", "class_name", "since", "until")
        return [tuple(row[name] for name in names) for row in reversed(await self.enrolments())]


async def a_pupil(
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    school_id: UUID,
    *,
    lives_in: int = 120119101200,
    identity: dict[str, Any] | None = None,
    **education: Any,
) -> Pupil:
    office = await a_caller(database, settings, "civil_affairs", 120000000000)
    section = {
        "school_id": str(school_id),
        "stage": "primary",
        "status": "enrolled",
        "student_numbers": [NUMBER],
        **education,
    }
    body = a_file(lives_in, education=section)
    body["identity"] |= identity or {}
    answer = await client.post("/v1/children", json=body, headers=office.headers)
    assert answer.status_code == 201, answer.text
    return Pupil(client, office, UUID(answer.json()["id"]))
