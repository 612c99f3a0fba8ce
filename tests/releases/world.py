"""A small synthetic world with rows in every table, made through the API: what a release keeps."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import httpx

from app.attendance.models import SchoolCalendarDay
from app.core.data.db import SYSTEM, Database
from app.core.jobs import queue
from app.core.settings import Settings
from app.webhooks.models import SECRET_PLACE
from tests.access.apps import a_machine, a_person, refresh, signed_in
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import an_event
from tests.children.factories import a_file, with_check_digit
from tests.dropout_alerts import factories as alerts
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import BY_POLICE, BY_TOWNSHIP, delivered
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

VILLAGE = 120119101200
NEXT_VILLAGE = 120119102201
TOWNSHIP = 120119101000
COUNTY = 120119000000


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads what; the agency is that of the kept rows, so that it sees its own."""

    role: str
    region: int
    agency_id: UUID
    urls: list[str]


async def play(client: httpx.AsyncClient, database: Database, settings: Settings) -> list[Reader]:
    """Fill an empty database; return who reads what of it."""
    await some_regions(database, VILLAGE, NEXT_VILLAGE)
    offices = await the_offices(database, settings)
    around = await alerts.everyone(client, database, settings)
    director = offices.village
    pupil = await _files(client, database, settings, director, around.school.id)
    visit = await _visits(client, director, pupil["id"])
    alert = await _absence(around, offices.township, pupil["id"])
    report = await _report(client, database, offices, pupil["id"])
    await _doors(client, database, settings)
    await _rest(database)
    return [
        Reader(
            "village_director",
            VILLAGE,
            director.agency_id,
            [
                "/v1/children",
                f"/v1/children/{pupil['id']}",
                f"/v1/children/{pupil['id']}/history",
                f"/v1/visits?child_id={pupil['id']}",
                f"/v1/visits/{visit}/versions",
                "/v1/duties",
            ],
        ),
        Reader(
            "school",
            TOWNSHIP,
            around.school.id,
            ["/v1/dropout-alerts", f"/v1/dropout-alerts/{alert}"],
        ),
        Reader(
            "police",
            TOWNSHIP,
            offices.police.agency_id,
            ["/v1/police-reports", f"/v1/police-reports/{report}"],
        ),
        Reader(
            "civil_affairs",
            COUNTY,
            offices.county.agency_id,
            [f"/v1/police-reports/{report}/chain"],
        ),
    ]


async def _files(
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    director: Caller,
    school: UUID,
) -> dict[str, Any]:
    """A pupil's file, changed once; and a namesake in the next village, without a number."""
    sections = a_file(VILLAGE)
    education = {**sections["education"], "school_id": str(school)}
    answer = await client.post(
        "/v1/children", json={**sections, "education": education}, headers=director.headers
    )
    pupil = _made(answer)
    change = {"guardianship": {"evaluation": "poor"}, "health": {"notes": "合成记录:已复查"}}
    answer = await client.patch(
        f"/v1/children/{pupil['id']}",
        json=change,
        headers={**director.headers, "if-match": f'"{pupil["version"]}"'},
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    neighbour = await a_caller(database, settings, "village_director", NEXT_VILLAGE)
    identity = {**sections["identity"], "resident_id": None}
    number = with_check_digit("12000020160301902")
    for caller, region, who in (
        (neighbour, NEXT_VILLAGE, {**identity, "no_resident_id_reason": "not_issued"}),
        (director, VILLAGE, {**identity, "name": "样小二", "resident_id": number}),
    ):
        file = {**a_file(region), "identity": who, "education": {"stage": "primary"}}
        _made(await client.post("/v1/children", json=file, headers=caller.headers))
        await run_jobs(database)
    return answer.json()


async def _visits(client: httpx.AsyncClient, director: Caller, child_id: str) -> str:
    body = a_visit(UUID(child_id), note="合成记录:第一版", findings=[something_wrong()])
    key = {"idempotency-key": "kept-visit"}
    visit = _made(await client.post("/v1/visits", json=body, headers={**director.headers, **key}))
    answer = await client.patch(
        f"/v1/visits/{visit['id']}",
        json={"note": "合成记录:第二版"},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return str(visit["id"])


async def _absence(around: alerts.Around, township: Caller, child_id: str) -> str:
    """From absence to measures; a day of presence besides."""
    await around.absent(UUID(child_id), "2026-11-18", "2026-11-19", "2026-11-20")
    await around.client.post(
        "/v1/attendance-events",
        headers=around.school.system.headers,
        json={"events": [an_event(UUID(child_id), "2026-11-17", category="present")]},
    )
    await run_jobs(around.database)
    now = await around.alert(UUID(child_id))
    measure = {"kind": "talk_with_guardian", "ordered_on": "2026-11-20", "note": "合成记录"}
    for caller, path, body in (
        (around.teacher, "persuasions", alerts.an_attempt(note="合成记录:家访", final=True)),
        (around.teacher, "written-report", alerts.a_report(summary="合成记录:劝返无效")),
        (around.education, "written-report/receipt", None),
        (township, "measures", measure),
    ):
        answer = await around.step(caller, now, path, body)
        assert answer.is_success, answer.text
        now = answer.json()
    return str(now["id"])


async def _report(client: httpx.AsyncClient, database: Database, offices: Any, child: str) -> str:
    report = await filed(client, offices.village, child_id=child)
    await delivered(database, report)
    await run_jobs(database)
    for caller, steps in ((offices.police, BY_POLICE), (offices.township, BY_TOWNSHIP[:-1])):
        for path, body, _ in steps:
            url = f"/v1/police-reports/{report}/{path}"
            _made(await client.post(url, json=body, headers=caller.headers))
    return report


async def _doors(client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
    """Somebody who signed in, twice; a system that proved itself; a code nobody used."""
    await a_person(database, "kept")
    app, tokens = await signed_in(client, database, "kept")
    await refresh(client, app, tokens["refresh_token"])
    machine = await a_machine(database)
    grant = {"grant_type": "client_credentials", **machine.proof(database.clock())}
    issued = await client.post("/oauth/token", data=grant)
    assert issued.is_success, issued.text
    gone = {"client_id": str(app), "token": tokens["access_token"]}
    assert (await client.post("/oauth/revoke", data=gone)).is_success


async def _rest(database: Database) -> None:
    """What the API has no operation for, or what a worker would have taken away."""
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            SchoolCalendarDay(
                region_code=COUNTY, day=date(2026, 11, 21), is_school_day=True, source="test"
            )
        )
        tx.session.add(queue.ScheduleRow(name="kept.nightly", cron="5 3 * * *", next_at=tx.now))
        for row in await tx.connection.fetch("SELECT id FROM webhook_endpoints"):
            await tx.connection.execute(
                "UPDATE webhook_endpoints SET secret_sealed = $2 WHERE id = $1",
                row["id"],
                tx.keyring.seal(SECRET_PLACE, row["id"], b"0" * 32),
            )


def _made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == httpx.codes.CREATED, answer.text
    made: dict[str, Any] = answer.json()
    return made
