"""Every kind of write, and how to see that a refused one left no trace."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from sqlmodel import SQLModel

from app.core.data.db import SYSTEM, Database
from app.core.problems import ProblemDocument
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import a_school, an_event
from tests.children.factories import a_file
from tests.police_reports.factories import a_report
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit

VILLAGE = 120119101200
ELSEWHERE = 120118101201
UNKNOWN = "120119101999"
CANARY = "canary-7f3a9"
DENIALS = {"audit_entries", "audit_children"}
"""A refused access is audited; nothing else may be written."""


@dataclass
class Write:
    """One operation, with a request it takes."""

    caller: Caller
    path: str
    body: Any
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """The operations, and how to try them."""

    client: httpx.AsyncClient
    database: Database
    writes: dict[str, Write]

    async def send(self, name: str, content: Any = None, **headers: str | None) -> httpx.Response:
        """Send bytes or JSON in place of the request that would be taken."""
        write = self.writes[name]
        wanted = {
            **write.caller.headers,
            "content-type": "application/json",
            **write.headers,
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        body = write.body if content is None else content
        return await self.client.request(
            write.method,
            write.path,
            content=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={key: value for key, value in wanted.items() if value is not None},
        )

    async def rows(self) -> dict[str, int]:
        """Count the rows of every table."""
        counts = " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS rows FROM {name}"
            for name in SQLModel.metadata.tables
        )
        async with self.database.begin(SYSTEM) as tx:
            return {row["name"]: row["rows"] for row in await tx.connection.fetch(counts)}

    async def refused(
        self, name: str, content: Any = None, *, status: int, **headers: str | None
    ) -> dict[str, Any]:
        """Send what must be refused without a trace; returns the problem document."""
        before = await self.rows()
        answer = await self.send(name, content, **headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)
        document = answer.json()
        ProblemDocument.model_validate(document)
        after = await self.rows()
        changed = {
            table: (before[table], count)
            for table, count in after.items()
            if count != before[table]
        }
        # A refusal that says which child it is about is a look at that child (AUD-1).
        named = "location" in answer.headers or headers.get("prefer") == "handling=strict"
        audited = status in {403, 404} or named
        assert changed.keys() <= (DENIALS if audited else set()), changed
        caller = self.writes["createChild"].caller
        listed = await self.client.get("/v1/children", headers=caller.headers)
        assert listed.status_code == 200
        return document


async def a_world(client, database, settings) -> World:
    await some_regions(database, VILLAGE, ELSEWHERE)
    director = await a_caller(database, settings, "village_director", VILLAGE)
    school = await a_school(database, settings)
    child_id = await a_whole_file(client, director)
    pupil = await school.pupil(database)
    visit = a_visit(child_id)
    stored = await client.post("/v1/visits", json=visit, headers=director.headers)
    assert stored.status_code == 201, stored.text
    version = {"if-match": '"1"'}
    return World(
        client,
        database,
        {
            "createChild": Write(director, "/v1/children", a_file(VILLAGE)),
            "changeChild": Write(
                director,
                f"/v1/children/{child_id}",
                {"health": {"notes": "合成记录"}},
                "PATCH",
                version,
            ),
            "recordVisit": Write(director, "/v1/visits", a_visit(child_id)),
            "correctVisit": Write(
                director, f"/v1/visits/{visit['id']}", {"note": "合成记录"}, "PATCH", version
            ),
            "pushAttendanceEvents": Write(
                school.system, "/v1/attendance-events", {"events": [an_event(pupil.id)]}
            ),
            "fileReport": Write(director, "/v1/police-reports", a_report()),
        },
    )


async def a_whole_file(client: httpx.AsyncClient, director: Caller) -> UUID:
    body = a_file(VILLAGE)
    body["identity"] |= {"name": "样小九", "resident_id": None}
    body["education"] = {}
    answer = await client.post("/v1/children", json=body, headers=director.headers)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


WRITES = (
    "createChild",
    "changeChild",
    "recordVisit",
    "correctVisit",
    "pushAttendanceEvents",
    "fileReport",
)
