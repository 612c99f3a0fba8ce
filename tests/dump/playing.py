"""What happens in the world whose database is stolen."""

from typing import Any

import httpx

from app.core.data.db import Database
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.break_glass.factories import REASON, urgent
from tests.children.factories import a_file
from tests.consents.matrix import a_consent, a_withdrawal
from tests.dump import (
    playing_cases,
    playing_files,
    playing_police,
    playing_power,
    playing_schools,
)
from tests.dump.scene import ELSEWHERE, a_scene
from tests.jobs import run_jobs
from tests.releases import world
from tests.rights.factories import asked

SHOWN = "测试机构 village_committee"
"""The name of an office: what a dump does show."""

SENT = {
    *("acknowledgeReport", "answerReferral", "answerRightsRequest", "answerUnresolved"),
    *("arrangeServices", "assistPolice", "attachUnresolved", "breakGlass", "cancelReferral"),
    *(
        "changeChild",
        "closeBreach",
        "closeReport",
        "closeWebhookDelivery",
        "confirmFile",
        "correctUnresolved",
    ),
    *("correctVisit", "createChild", "decideApproval", "dismissUnresolved", "dispatchReport"),
    *("disposeReport", "enterInRegister", "fileReport", "fileRightsRequest", "finishReview"),
    *("identifyChild", "investigateReport", "judgeOmissions", "nameSuspect", "notifyTownship"),
    *("openReferral", "orderMeasure", "proposeApproval", "proposeWaiver", "proposeWithdrawal"),
    *("pushAttendanceEvents", "readReporterAlone", "recordAssessment", "recordBreach"),
    *("recordConsent", "recordParentContact", "recordPersuasion", "recordPresenceFinding"),
    *("recordVisit", "reviewBreakGlass", "searchChildren", "sendWrittenReport", "separateReport"),
    *("settleDoubt", "supersedeReport", "takeBackUnresolved", "withdrawConsent"),
    *("withdrawIdentification", "withdrawSuspect"),
}
"""Operations in which something was sent in words."""


async def play(client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
    """Play the world that releases keep; and all else that somebody writes of a child or a case."""
    await playing_cases.answered_by_a_system(database, settings)
    await world.play(client, database, settings)
    scene = await a_scene(client, database, settings)
    for part in (playing_files, playing_schools, playing_police, playing_cases, playing_power):
        await part.play(scene)
    county = await a_caller(database, settings, "civil_affairs", world.COUNTY)
    director = await a_caller(database, settings, "village_director", world.VILLAGE)
    who = {"name": "样小三", "sex": "male", "birth_date": "2017-05-02"}
    file = {**a_file(world.VILLAGE), "identity": who, "education": {"stage": "primary"}}
    child = (await _sent(client, director, "children", file))["id"]
    given = await _sent(client, director, f"children/{child}/consents", a_consent())
    path = f"consents/{given['id']}/withdrawal"
    await _sent(client, director, path, a_withdrawal(), given["version"])
    await asked(client, county, child)
    doctor = await a_caller(database, settings, "hospital", ELSEWHERE, machine=False)
    opened = await client.post(
        "/v1/break-glass",
        json={"child_id": child, "reason": REASON, "minutes": 30},
        headers=urgent(doctor),
    )
    assert opened.is_success, opened.text
    await run_jobs(database)


async def _sent(
    client: httpx.AsyncClient, caller: Caller, path: str, body: dict[str, Any], version: int = 1
) -> dict[str, Any]:
    headers = {**caller.headers, "if-match": f'"{version}"'}
    answer = await client.post(f"/v1/{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    said: dict[str, Any] = answer.json()
    return said
