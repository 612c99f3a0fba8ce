"""What is said step by step of a report: what was done and left out, why, whose it is and whose
not.
"""

from typing import Any
from uuid import UUID

from tests.access.factories import Caller
from tests.dump.scene import Scene
from tests.police_reports.factories import a_report
from tests.police_reports.test_chain import AT, DISPATCH, NOTICE
from tests.police_reports.test_dispositions import ESCORT, VIOLENCE
from tests.releases import world

_WORDS = {
    "situations": ["domestic_violence", "合成记录:深夜哭喊"],
    "suspect_agency_id": "合成记录:村里一家托管班",
    "police_reference": "电〔2026〕7号",
}
_WANTED = {**DISPATCH, "help_wanted": "合成记录:请带钥匙到场"}
_HELPED = {"helped_at": AT, "help_given": "合成记录:已到场开门"}
_PUNISHED = {
    "measure": "warning_letter_issued",
    "paper_number": "告诫〔2026〕9号",
    "reason": "合成记录:情节较轻",
    "who": "样大丁",
}
_LEFT_OUT = {"measure": "child_found", "reason": "合成记录:仍在查找"}
_BESIDE = {"kind": "missing", "measures": ["search_started"], "omitted": [_LEFT_OUT]}
_HANDLED = {**VIOLENCE, "particulars": [_PUNISHED], "also": [_BESIDE], "situations": ["missing"]}
_ENDED = {
    "at": AT,
    "stage": "ended",
    "explanation": "合成记录:撤销",
    "paper_number": "撤〔2026〕2号",
}
_IS_SHE = {"identified_at": AT, "name": "样小十", "basis": "合成记录:邻居认出"}
_IS_NOT = {"withdrawn_at": AT, "basis": "合成记录:同名异人"}
_NAMED = {"named_at": AT, "suspect_agency_id": None, "basis": "合成记录:老师提起"}
_CLEARED = {"withdrawn_at": AT, "basis": "合成记录:并无此事"}
_SEPARATED = {"separated_at": AT, "basis": "合成记录:两处住址"}
_SAFE = {"closed_at": AT, "reason": "child_safe", "explanation": "合成记录:随姑姑生活"}


async def play(scene: Scene) -> None:
    school = await scene.enter("school", world.TOWNSHIP)
    report = a_report(**_WORDS)
    path = await _filed(scene, school, report)
    other = await _filed(scene, school, a_report(narrative="合成记录:另一处"))
    station = {"agency_id": await _of(scene, scene.county, other, "police"), "machine": False}
    police = await scene.enter("police", world.TOWNSHIP, **station)
    second = await scene.enter("police", world.TOWNSHIP, **station)
    above = await scene.enter("civil_affairs", world.COUNTY // 10**10 * 10**10, machine=False)
    await scene.sends(above, f"{path}/suspect", _NAMED)
    await scene.sends(police, f"{path}/township-notice", NOTICE)
    its_own = {"agency_id": await _of(scene, police, path, "township")}
    township = await scene.enter("township_supervisor", world.TOWNSHIP, **its_own)
    joined = {"joined_at": AT, "report_id": other.rpartition("/")[2]}
    child = str(await scene.child(7, "样小十"))
    steps: tuple[tuple[Caller, str, dict[str, Any]], ...] = (
        (police, "dispatch", _WANTED),
        (school, "assistance", _HELPED),
        (police, "dispositions", _HANDLED),
        (police, "dispositions", ESCORT),
        (police, "investigation", _ENDED),
        (police, "child", {**_IS_SHE, "child_id": child}),
        (police, "child/withdrawal", _IS_NOT),
        (police, "incident", joined),
        (police, "incident/separation", _SEPARATED),
        (township, "closure", _SAFE),
        (above, "suspect/withdrawal", _CLEARED),
    )
    for who, step, body in steps:
        await scene.sends(who, f"{path}/{step}", body)
    await _judged(scene, second, path)
    await scene.sends(school, f"{other}/supersession", {**report, "narrative": "合成记录:更正"})


async def _filed(scene: Scene, school: Caller, report: dict[str, Any]) -> str:
    made = await scene.sends(school, "police-reports", report)
    return f"police-reports/{made['id']}"


async def _of(scene: Scene, who: Caller, path: str, part: str) -> UUID:
    """Return the agency that has a part in a report."""
    read = await scene.client.get(f"/v1/{path}", headers=who.headers)
    return UUID(read.json()[f"{part}_agency_id"])


async def _judged(scene: Scene, officer: Caller, path: str) -> None:
    """Another officer says whether the reasons are good."""
    seen = (await scene.client.get(f"/v1/{path}", headers=officer.headers)).json()
    said = {"judged_at": AT, "confirmed": True, "explanation": "合成记录:已核实"}
    body = {**said, "disposition_id": seen["omission_step_id"]}
    await scene.sends(officer, f"{path}/omissions/judgement", body)
