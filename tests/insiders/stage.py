"""A county of people for the stories of insiders: who asks what, who sees it, who is told."""

from dataclasses import dataclass
from typing import Any

import httpx

from app.core.data.db import SYSTEM, Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller, an_agency, callers
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.regions.factories import some_regions

COUNTY, TOWNSHIP, VILLAGE = 120119000000, 120119101000, 120119101200
ELSEWHERE, NATION = 120118000000, 0
REASON = "合成记录:来函要求办理,已核对公章。"


@dataclass
class Town:
    """Everybody, and how they ask."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    cast: dict[str, Caller]
    child: str = ""
    """Lives in the village, goes to the school; a report of the school is about it."""
    neighbour: str = ""
    """Lives next door, with the same surname."""
    far: str = ""
    """Lives in another county."""
    report: str = ""

    def __getattr__(self, name: str) -> Caller:
        try:
            return self.cast[name]
        except KeyError:
            raise AttributeError(name) from None

    async def ask(
        self, who: Caller, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """Ask as somebody; `purpose`: for another than their first, other headers as named."""
        named = {"purpose": "purpose-of-use", "match": "if-match", "key": "idempotency-key"}
        told = {named.get(name, name): said for name, said in headers.items()}
        sent = {} if body is None else {"json": body}
        return await self.client.request(
            method, f"/v1/{path}", headers={**who.headers, **told}, **sent
        )

    async def reads(self, who: Caller, path: str, **headers: str) -> httpx.Response:
        return await self.ask(who, "GET", path, **headers)

    async def sends(
        self, who: Caller, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        return await self.ask(who, "POST", path, body, **headers)

    async def items(self, who: Caller, path: str, **headers: str) -> list[dict[str, Any]]:
        answer = await self.reads(who, path, **headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def recorded(self, of: Caller, *, sees: Caller | None = None) -> set[tuple[str, str]]:
        """What supervision, or somebody else, reads of what somebody did: operation, decision."""
        rows = await self.items(sees or self.auditor, "audit-entries?limit=200")
        named = {f"staff:{of.subject_id}", f"client:{of.subject_id}"}
        return {(row["operation"], row["decision"]) for row in rows if row["actor"] in named}

    async def told(self, who: Caller) -> list[str]:
        """The wire names of all that somebody's feed holds."""
        await run_jobs(self.database)
        return [each["type"] for each in await self.items(who, "events?limit=200")]

    async def owed(self, who: Caller) -> list[str]:
        """Of what others did alone, what somebody finds to be reviewed."""
        return [each["operation"] for each in await self.items(who, "reviews?state=owed")]

    async def colleague(self, of: Caller, **how: Any) -> Caller:
        """Somebody else in the same post."""
        role, region = of.claims["role"], of.claims["region_code"]
        return await a_caller(
            self.database, self.settings, role, region, agency_id=of.agency_id, **how
        )

    async def kept(self, statement: str, *arguments: Any) -> Any:
        """One value out of the database."""
        async with self.database.begin(SYSTEM) as tx:
            return await tx.connection.fetchval(statement, *arguments)


def said(answer: httpx.Response) -> tuple[int, str]:
    """The status, and of a refusal the problem."""
    body = answer.json() if answer.content else {}
    return answer.status_code, str(body.get("type", "")).removeprefix("/problems/")


async def a_town(client: httpx.AsyncClient, database: Database, settings: Settings) -> Town:
    await some_regions(database, VILLAGE, VILLAGE + 1, TOWNSHIP, COUNTY, ELSEWHERE, 120000000000)
    cast = await callers(
        database,
        settings,
        clerk=("civil_affairs", COUNTY),
        township=("township_supervisor", TOWNSHIP),
        director=("village_director", VILLAGE),
        teacher=("school", TOWNSHIP),
        officer=("police", TOWNSHIP),
        bureau=("police", COUNTY),
        auditor=("auditor", COUNTY),
        doctor=("hospital", ELSEWHERE),
    )
    operator = await an_agency(database, "operator", NATION)
    for name in ("operator", "operator2"):
        cast[name] = await a_caller(
            database, settings, "operator", NATION, agency_id=operator, machine=False
        )
    town = Town(client, database, settings, cast)
    # Civil affairs and the police are people and systems: here, people.
    for name in ("clerk", "officer", "bureau"):
        role, region = cast[name].claims["role"], cast[name].claims["region_code"]
        cast[name] = await a_caller(
            database, settings, role, region, agency_id=cast[name].agency_id, machine=False
        )
    cast["clerk2"] = await town.colleague(town.clerk, machine=False)
    cast["officer2"] = await town.colleague(town.officer, machine=False)
    cast["station_system"] = await town.colleague(town.officer, machine=True)
    school = town.teacher.agency_id
    cast["school_system"] = await a_caller(
        database, settings, "school_system", TOWNSHIP, agency_id=school
    )
    cast["school_admin"] = await a_caller(
        database, settings, "administrator", TOWNSHIP, agency_id=school
    )
    file = a_file(VILLAGE)
    made = await town.sends(town.director, "children", file)
    assert made.status_code == 201, made.text
    town.child = made.json()["id"]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET school_id = $1 WHERE id = $2::uuid", school, town.child
        )
    town.neighbour = str((await a_child(database, VILLAGE, name="样小二")).id)
    town.far = str((await a_child(database, ELSEWHERE + 101200, name="样小三")).id)
    report = a_report(child_id=town.child)
    del report["subject"]
    filed = await town.sends(town.teacher, "police-reports", report, purpose="protection")
    assert filed.status_code == 201, filed.text
    town.report = filed.json()["id"]
    return town
