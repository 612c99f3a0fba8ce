"""A village's year: files, visits, confirmations, findings, and what cannot be placed."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.core.clock import CHINA
from tests.confirmations.matrix import a_confirmation
from tests.police_reports.factories import a_report, an_endpoint
from tests.regions.factories import some_regions
from tests.simulations.stage import CITY, COUNTY, TOWNSHIP, VILLAGE, Stage
from tests.visits.factories import a_visit, something_wrong

CHAIN: Final = (
    *("VIS-01", "REG-03.ask", "REG-03.confirm", "REG-03.paper"),
    *("VIS-03", "VIS-03.explain", "VIS-08"),
    *("VIS-08.done", "REP-01", "REG-11", "REG-12", "REG-12.handover"),
    *("REG-08", "REG-10", "REG-11.enter", "REG-12.complete", "RSK-03"),
)
BEGINS: Final = datetime(2026, 1, 5, 9, tzinfo=CHINA)
NEXT_COUNTY, NEXT_COUNTY_VILLAGE = 120118000000, 120118101201
DIRECTOR, NEXT_DIRECTOR = "儿童主任", "邻村儿童主任"
SUPERVISOR, CIVIL_AFFAIRS, OTHER = "儿童督导员", "区民政局", "邻区民政局"
HOSPITAL = "区医院"
UNKNOWN = [UUID(int=7 << 76 | 8 << 60 | number) for number in (1, 2)]
"""Ids that a phone made for children whose files never came."""


async def play(stage: Stage) -> None:
    await _enter(stage)
    first, second = await _files(stage)
    await _first_quarter(stage, first, second)
    await _looked_after(stage, first)
    await _poor(stage, first, second)
    await _otherwise(stage, first, second)
    await _found_and_followed(stage, first)
    await _found_and_left(stage, second)
    await _unknown(stage, first)
    await _two_files(stage)
    await _moves_and_birthdays(stage, first, second)
    await stage.until("2027-01-02")


async def _enter(stage: Stage) -> None:
    await some_regions(stage.database, VILLAGE, VILLAGE + 1, NEXT_COUNTY_VILLAGE)
    await stage.enter(DIRECTOR, "village_director", VILLAGE)
    await stage.enter(NEXT_DIRECTOR, "village_director", VILLAGE + 1)
    await stage.enter(SUPERVISOR, "township_supervisor", TOWNSHIP)
    await stage.enter(CIVIL_AFFAIRS, "civil_affairs", COUNTY)
    await stage.enter(OTHER, "civil_affairs", NEXT_COUNTY)
    await stage.enter("市民政局", "civil_affairs", CITY)
    await stage.enter("邻区儿童主任", "village_director", NEXT_COUNTY_VILLAGE)
    await stage.enter("邻区儿童督导员", "township_supervisor", NEXT_COUNTY_VILLAGE // 1000 * 1000)
    await stage.enter(HOSPITAL, "hospital", COUNTY)
    police = await stage.enter("派出所", "police", TOWNSHIP)
    await an_endpoint(stage.database, police.agency_id, TOWNSHIP)


async def _files(stage: Stage) -> tuple[str, str]:
    """Of the second nobody said where the father is; so of the third, and nobody will ask. Of the
    first two nobody said what school they go to.
    """
    unsaid = {"education": {"status": "enrolled"}}
    first = await stage.file(DIRECTOR, "样小一", 1, **unsaid)
    mother = {"role": "mother", "statuses": [{"status": "away", "since": "2020-01-01"}]}
    second = await stage.file(DIRECTOR, "样小二", 2, family={"parents": [mother]}, **unsaid)
    await stage.file(DIRECTOR, "样小三", 3, family={"parents": [mother]})
    return first, second


async def _visit(stage: Stage, who: str, did: str, child: object, *found: Any, **said: Any) -> str:
    body = a_visit(child, visited_on=stage.today, findings=[*found], **said)  # type: ignore[arg-type]
    await stage.act(who, did, "visits", body)
    return str(body["id"])


async def _confirm(stage: Stage, who: str, did: str, child: str) -> None:
    body = a_confirmation(UUID(child), confirmed_on=stage.today)
    await stage.act(who, did, "confirmations", body)


async def _first_quarter(stage: Stage, first: str, second: str) -> None:
    await stage.until("2026-02-02")
    did = "代填“儿童主任已走访”types that the director came"
    await _visit(stage, CIVIL_AFFAIRS, did, first)
    await stage.until("2026-02-10")
    await _visit(stage, DIRECTOR, "电话问候样小一 phones", first, channel="phone")
    await stage.until("2026-02-11")
    await _visit(stage, DIRECTOR, "实地走访样小一 visits", first)
    await _confirm(stage, CIVIL_AFFAIRS, "代为确认档案 confirms in the director's place", first)
    await _confirm(stage, DIRECTOR, "确认样小一的档案 confirms the file", first)
    await stage.until("2026-03-02")
    parents = [
        {"role": role, "statuses": [{"status": "away", "since": "2020-01-01"}]}
        for role in ("father", "mother")
    ]
    path = f"children/{second}"
    did = "补采样小二父亲的去向 asks where the father is"
    await stage.act(DIRECTOR, did, path, {"family": {"parents": parents}}, method="PATCH", on=path)


async def _write(stage: Stage, who: str, did: str, child: str, **sections: Any) -> None:
    path = f"children/{child}"
    await stage.act(who, did, path, sections, method="PATCH", on=path)


async def _looked_after(stage: Stage, child: str) -> None:
    """Of the second the guardian is not evaluated."""
    grounds = {"performance": "well", "life": "well", "education": "basic", "health": "well"}
    said = {"evaluation": "fair", "evaluated_on": "2026-03-05", "evaluation_grounds": grounds}
    await stage.until("2026-03-05")
    did = "评估样小一的监护人 evaluates the guardian"
    await _write(stage, DIRECTOR, did, child, guardianship={**said, "evaluated_by": DIRECTOR})


async def _poor(stage: Stage, first: str, second: str) -> None:
    """What the family of the second lives on nobody enters, nor what school it goes to."""
    await stage.until("2026-03-06")
    did = "补全样小一的学习状况 enters what school it goes to"
    await _write(stage, DIRECTOR, did, first, education={"stage": "primary"})
    for child in (first, second):
        did = "登记家庭贫困 enters that the family is poor"
        await _write(stage, DIRECTOR, did, child, welfare={"poor": True})
    await stage.until("2026-03-09")
    did = "补全样小一的档案 completes the file"
    await _write(stage, SUPERVISOR, did, first, welfare={"income_sources": ["farming"]})
    await _confirm(stage, SUPERVISOR, "更新样小一的纸质档案 updates its file on paper", first)


async def _otherwise(stage: Stage, first: str, second: str) -> None:
    """Of both something about the guardian is otherwise by now; of the second nobody enters it."""
    await stage.until("2026-03-16")
    for child in (first, second):
        body = a_confirmation(UUID(child), confirmed_on=stage.today, differs=["guardianship"])
        did = "发现监护情况有变 finds that something changed"
        await stage.act(DIRECTOR, did, "confirmations", body)
    await stage.until("2026-03-18")
    did = "录入变动 enters what changed"
    await _write(
        stage, DIRECTOR, did, first, guardianship={"guardian": {"phone": "+86 10 5550 0109"}}
    )
    body = a_confirmation(UUID(first), confirmed_on=stage.today, changed=["guardianship"])
    await stage.act(DIRECTOR, "确认已录入 confirms that it is entered", "confirmations", body)


async def _found_and_followed(stage: Stage, child: str) -> None:
    await stage.until("2026-04-20")
    sad = something_wrong(type="distress", refer_to=["hospital"], domain="health")
    beaten = something_wrong(type="domestic_violence", refer_to=[])
    did = "走访样小一,发现心理问题和家暴,未宣传政策 finds distress and violence"
    visit = await _visit(stage, DIRECTOR, did, child, sad, beaten, policies_explained=[])
    await stage.until("2026-04-20", "09:20")
    report = a_report(
        child_id=child,
        subject=None,
        visit_id=visit,
        situations=["domestic_violence"],
        found_at=stage.at,
    )
    await stage.act(DIRECTOR, "向公安机关报告 reports to the police", "police-reports", report)
    await stage.until("2026-04-21")
    await _visit(
        stage, DIRECTOR, "上门未看情况 comes, looks at nothing", child, policies_explained=[]
    )
    await stage.until("2026-04-22")
    looked = [{"domain": domain, "abnormal": False} for domain in ("guardianship", "health")]
    did = "跟进走访样小一并宣传法律政策 looks again, explains law and policy"
    await _visit(stage, DIRECTOR, did, child, *looked)
    await _answer(stage, "接受转介 takes it on", answer="accepted")
    await stage.until("2026-05-06")
    await _answer(stage, "办结转介 says what came of it", answer="done", words="已疏导三次")
    await _confirm(stage, DIRECTOR, "确认样小一的档案 confirms the file", child)


async def _answer(stage: Stage, did: str, **body: Any) -> None:
    """Let the hospital answer the oldest of what it was asked and has not ended."""
    listed = (await stage.call(HOSPITAL, "GET", "referrals?limit=100")).json()["items"]
    open_ = [each for each in listed if "answerReferral" in each["permitted"]]
    asked = min(open_, key=lambda each: str(each["id"]))
    path = f"referrals/{asked['id']}"
    await stage.act(HOSPITAL, did, f"{path}/answer", body, on=path)


async def _found_and_left(stage: Stage, child: str) -> None:
    await stage.until("2026-05-18")
    sad = something_wrong(type="distress", refer_to=["hospital"], domain="health")
    beaten = something_wrong(type="domestic_violence", refer_to=[])
    did = "走访样小二,发现心理问题和家暴,此后未再过问 finds the same, and does nothing"
    await _visit(stage, DIRECTOR, did, child, sad, beaten, policies_explained=[])
    await stage.until("2026-06-01")
    await _answer(stage, "逾期后接受转介 takes it on, too late", answer="accepted")


async def _unknown(stage: Stage, child: str) -> None:
    """Two visits of children whom nobody knows by the ids of the phone."""
    await stage.until("2026-07-06")
    for number, unknown in enumerate(UNKNOWN, start=1):
        did = f"上传第{number}个无法对应儿童的走访 sends a visit of nobody known"
        await _visit(stage, DIRECTOR, did, unknown)
    await stage.until("2026-07-08")
    listed = (await stage.call(SUPERVISOR, "GET", "unresolved?kind=visit")).json()["items"]
    [item] = [each for each in listed if each["claim"]["child_id"] == str(UNKNOWN[0])]
    path = f"unresolved/{item['id']}"
    body = {"child_id": child, "words": "已核实"}
    did = "确认走访的是样小一 says whom it was paid to"
    await stage.act(SUPERVISOR, did, f"{path}/attachment", body, on=path)


async def _same(stage: Stage, who: str) -> None:
    did = "认定为同一儿童 says that it is the same child"
    listed = await stage.call(who, "GET", "unresolved?kind=referral&state=open")
    item = listed.json()["items"][-1]
    path = f"unresolved/{item['id']}"
    body = {"answer": "same_child", "words": "系随母迁居"}
    await stage.act(who, did, f"{path}/answer", body, on=path)


async def _two_files(stage: Stage) -> None:
    """Numbers that are on files of the next county: once both offices answer, once nobody does."""
    for number, day in ((7, "2026-07-20"), (8, "2026-08-03")):
        await stage.until(day)
        name = f"样小{'五六'[number - 7]}"
        await stage.file(OTHER, name, number, place=NEXT_COUNTY_VILLAGE)
        await stage.file(DIRECTOR, name, number)
        if number == 7:
            await stage.until("2026-07-22")
            for who in (CIVIL_AFFAIRS, OTHER):
                await _same(stage, who)
            await stage.until("2026-07-24")
            [item] = (await stage.call(OTHER, "GET", "unresolved?kind=handover")).json()["items"]
            path = f"unresolved/{item['id']}"
            body = {"words": "孩子住在本区,仅来探亲"}
            did = "说明档案为何留在本区 says why the file stays"
            await stage.act(OTHER, did, f"{path}/dismissal", body, on=path)
    await stage.until("2026-08-12")
    for who in (CIVIL_AFFAIRS, OTHER):
        await _same(stage, who)


async def _moves_and_birthdays(stage: Stage, first: str, second: str) -> None:
    """What was owed and not done stays on the record; what is owed on follows the child."""
    await stage.until("2026-10-08")
    await stage.file(DIRECTOR, "样小四", 4, born="2010-11-02")
    await stage.until("2026-10-12")
    path = f"children/{second}"
    moved = {"residence": {"region_code": f"{VILLAGE + 1:012d}"}}
    did = "样小二搬到邻村 the child moves to the next village"
    await stage.act(CIVIL_AFFAIRS, did, path, moved, method="PATCH", on=path)
    await stage.until("2026-11-02", "00:10")  # 样小四 is sixteen
    await stage.until("2026-11-05")
    await _visit(stage, NEXT_DIRECTOR, "实地走访样小二 visits", second)
    await _confirm(stage, NEXT_DIRECTOR, "确认样小二的档案 confirms the file", second)
    await _visit(stage, DIRECTOR, "实地走访样小一 visits", first)
