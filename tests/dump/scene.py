"""Who acts in the world whose database is stolen, and how."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_file, with_check_digit
from tests.jobs import run_jobs
from tests.releases import world

ELSEWHERE = 130102000000


@dataclass(frozen=True, slots=True)
class Scene:
    """A county, and those of its village, township and civil affairs who know its children."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    director: Caller
    township: Caller
    county: Caller

    async def enter(self, role: str, region: int, **how: Any) -> Caller:
        """Let somebody else come in."""
        return await a_caller(self.database, self.settings, role, region, **how)

    async def colleague(self, of: Caller) -> Caller:
        """Let somebody come in who holds the same for the same office, as a person."""
        role, region = of.claims["role"], of.claims["region_code"]
        return await self.enter(role, region, agency_id=of.agency_id, machine=False)

    async def sends(
        self,
        who: Caller,
        path: str,
        body: Any = None,
        *,
        on: str = "",
        method: str = "POST",
        **headers: str,
    ) -> Any:
        """Let somebody do something, on the version there is by now of what `on` names."""
        told = {**who.headers, **headers}
        if on:
            read = await self.client.get(f"/v1/{on}", headers=told)
            told["if-match"] = read.headers["etag"]
        answer = await self.client.request(method, f"/v1/{path}", json=body, headers=told)
        assert answer.is_success, f"{path}: {answer.text}"
        await run_jobs(self.database)
        return answer.json() if answer.content else None

    async def reads(self, who: Caller, path: str) -> list[dict[str, Any]]:
        """Return what somebody finds in a list."""
        answer = await self.client.get(f"/v1/{path}", headers=who.headers)
        assert answer.is_success, f"{path}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def child(self, number: int, name: str, **sections: Any) -> UUID:
        """Have the county open the file of a child of the village; `number`: one of its own."""
        made = await self.sends(self.county, "children", a_numbered_file(number, name, **sections))
        return UUID(made["id"])


def a_numbered_file(
    number: int, name: str, region: int = world.VILLAGE, **sections: Any
) -> dict[str, Any]:
    """Write the body that opens the file of a child no other is taken for."""
    born = f"2016-05-{number:02d}"
    file = a_file(region, **{"education": {"stage": "primary", "status": "enrolled"}, **sections})
    resident_id = with_check_digit(f"120000{born.replace('-', '')}902")
    file["identity"] |= {"name": name, "birth_date": born, "resident_id": resident_id}
    return file


async def a_scene(client: httpx.AsyncClient, database: Database, settings: Settings) -> Scene:
    made = [
        await a_caller(database, settings, role, region, machine=False)
        for role, region in (
            ("village_director", world.VILLAGE),
            ("township_supervisor", world.TOWNSHIP),
            ("civil_affairs", world.COUNTY),
        )
    ]
    return Scene(client, database, settings, *made)
