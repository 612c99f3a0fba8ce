"""Two people for one request: proposed by one, approved by another, sent again."""

from typing import Any
from uuid import UUID

import httpx

from app.core.data.db import Database
from tests.access.factories import Caller, an_agency

COUNTY, TOWNSHIP, OTHER = 120119000000, 120119101000, 120118000000
STATION = {"kind": "police", "name": "测试派出所", "region_code": str(TOWNSHIP)}
PATH = "/v1/agencies"
REASON = "合成记录:来函要求办理,已核对公章。"


async def propose(
    client: httpx.AsyncClient,
    who: Caller,
    operation: str,
    path: str,
    body: dict[str, Any] | None = None,
    changed: dict[str, Any] | None = None,
) -> httpx.Response:
    """Propose a request; `changed`: what the proposal says otherwise."""
    said = {"operation": operation, "path": path, "body": body, "reason": REASON}
    said |= changed or {}
    return await client.post("/v1/approvals", json=said, headers=who.headers)


async def decide(
    client: httpx.AsyncClient, who: Caller, approval: str, verdict: str = "approved"
) -> httpx.Response:
    said = {"verdict": verdict, "reason": REASON}
    return await client.post(f"/v1/approvals/{approval}/decision", json=said, headers=who.headers)


async def approved(
    client: httpx.AsyncClient,
    one: Caller,
    two: Caller,
    operation: str,
    path: str,
    body: dict[str, Any] | None = None,
) -> str:
    """Have one propose and the other approve; return the approval's id."""
    proposed = await propose(client, one, operation, path, body)
    assert proposed.status_code == 201, proposed.text
    approval: str = proposed.json()["id"]
    decided = await decide(client, two, approval)
    assert decided.status_code == 200, decided.text
    return approval


async def send_by_two(
    client: httpx.AsyncClient,
    one: Caller,
    two: Caller,
    operation: str,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
) -> httpx.Response:
    """Do what takes two people."""
    approval = await approved(client, one, two, operation, path, body)
    headers = {**one.headers, "approval": approval}
    sent = {} if body is None else {"json": body}
    return await client.request(method, path, headers=headers, **sent)


async def create(
    client: httpx.AsyncClient, who: Caller, body: dict[str, Any] = STATION, **headers: str
) -> httpx.Response:
    return await client.post(PATH, json=body, headers={**who.headers, **headers})


async def states(client: httpx.AsyncClient, who: Caller, **query: str) -> list[tuple[str, str]]:
    page = await client.get("/v1/approvals", params=query, headers=who.headers)
    assert page.status_code == 200, page.text
    return [(item["operation"], item["state"]) for item in page.json()["items"]]


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def code(answer: httpx.Response) -> str:
    assert problem(answer) == (403, "approval-unusable"), answer.text
    found: str = answer.json()["errors"][0]["code"]
    return found


async def a_machine_of(
    client: httpx.AsyncClient, database: Database, one: Caller, two: Caller
) -> UUID:
    """A system of a police station, registered by two."""
    agency = await an_agency(database, "police", TOWNSHIP)
    body = {
        "name": "接警系统",
        "agency_id": str(agency),
        "role": "police",
        "region_code": str(TOWNSHIP),
    }
    made = await send_by_two(client, one, two, "registerClient", "POST", "/v1/clients", body)
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"])
