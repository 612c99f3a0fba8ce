"""A police station's month: one report is handled as the law asks, one is left, one is unknown."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.core.clock import CHINA
from tests.police_reports.factories import a_report, an_endpoint
from tests.police_reports.test_chain import ASSESS
from tests.regions.factories import some_regions
from tests.simulations.stage import CITY, COUNTY, TOWNSHIP, VILLAGE, Stage

CHAIN: Final = (
    *("REP-07", "REP-07.dispatch", "REP-07.help", "REP-08", "REP-08.omitted", "REP-08.said"),
    *("REP-01.child", "REP-20"),
    *("REP-14.accepted", "REP-14", "REP-15", "REP-16"),
)
BEGINS: Final = datetime(2026, 11, 2, 9, tzinfo=CHINA)
POLICE, SCHOOL, GOVERNMENT, CIVIL_AFFAIRS = "派出所", "镇小学", "乡镇政府", "区民政局"
SECOND: Final = "派出所负责人"
MEASURES: Final = ("parents_ordered_to_return", "parents_admonished")
LATER: Final = [{"measure": "parents_admonished", "reason": "父母在外地,返回后训诫。"}]


async def play(stage: Stage) -> None:
    await _enter(stage)
    first = await stage.file("市民政局", "样小一", 1)
    second = await stage.file("市民政局", "样小二", 2)
    await _unknown(stage, first)
    await _handled(stage, first)
    await _left(stage, second)
    await stage.until("2026-12-04")


async def _enter(stage: Stage) -> None:
    await some_regions(stage.database, VILLAGE)
    police = await stage.enter(POLICE, "police", TOWNSHIP)
    await stage.enter(SECOND, "police", TOWNSHIP, agency_id=police.agency_id)
    await an_endpoint(stage.database, police.agency_id, TOWNSHIP)
    await stage.enter(SCHOOL, "school", TOWNSHIP)
    await stage.enter("儿童主任", "village_director", VILLAGE)
    await stage.enter(GOVERNMENT, "township_supervisor", TOWNSHIP)
    await stage.enter(CIVIL_AFFAIRS, "civil_affairs", COUNTY)
    await stage.enter("市民政局", "civil_affairs", CITY)


async def _filed(stage: Stage, did: str, **fields: Any) -> str:
    report_id = UUID(int=9 << 76 | 8 << 60 | len(stage.people))
    stage.people[report_id] = f"第{len(stage.people) - 1}件 report {len(stage.people) - 1}"
    body = a_report(id=str(report_id), found_at=stage.at, **fields)
    await stage.act(SCHOOL, did, "police-reports", body)
    return str(report_id)


async def _step(stage: Stage, who: str, did: str, report: str, path: str, /, **body: Any) -> Any:
    return await stage.act(who, did, f"police-reports/{report}/{path}", body)


async def _accepted(stage: Stage, report: str, did: str) -> None:
    body = {"police_reference": f"受〔2026〕{stage.now:%m%d}号", "accepted_at": stage.at}
    await _step(stage, POLICE, did, report, "acknowledgement", **body)


async def _handled(stage: Stage, child: str) -> None:
    """A child lives alone: each does at the first moment what it owes."""
    await stage.until("2026-11-03")
    did = "报告样小一独居 reports a child living alone"
    report = await _filed(stage, did, child_id=child, subject=None)
    await stage.until("2026-11-03", "09:15")
    await _accepted(stage, report, "受理 accepts")
    await stage.until("2026-11-03", "09:30")
    asks = {"dispatched_at": stage.at, "unit": "一组", "help_wanted": "请提供到校记录。"}
    did = "出警,请学校协助 goes out, asks the school to help"
    await _step(stage, POLICE, did, report, "dispatch", **asks)
    await stage.until("2026-11-03", "11:00")
    helped = {"helped_at": stage.at, "help_given": "已派老师陪同。"}
    await _step(stage, SCHOOL, "协助公安机关 helps", report, "assistance", **helped)
    told = {"sent_at": stage.at, "content": "已受理。"}
    did = "向乡镇通报受理 tells the township that it was accepted"
    await _step(stage, POLICE, did, report, "township-notice", **told)
    await stage.until("2026-11-03", "14:00")
    deed = {"kind": "living_alone", "at": stage.at, "measures": [*MEASURES[:1]]}
    did = "责令父母返回,暂未训诫 orders the parents back, admonishes nobody, for a reason"
    done = await _step(stage, POLICE, did, report, "dispositions", **deed, omitted=LATER)
    judged = {"judged_at": stage.at, "disposition_id": done["id"], "confirmed": False}
    did = "不同意该理由 does not agree"
    words = {"explanation": "可当日电话训诫。"}
    await _step(stage, SECOND, did, report, "omissions/judgement", **judged, **words)
    await stage.until("2026-11-03", "15:00")
    deed = {"kind": "living_alone", "at": stage.at, "measures": [*MEASURES[1:]]}
    did = "训诫父母,未填文书 admonishes the parents, says no papers"
    await _step(stage, POLICE, did, report, "dispositions", **deed)
    await stage.until("2026-11-03", "16:00")
    told = {"sent_at": stage.at, "content": "父母已被责令返回。"}
    did = "向乡镇通报处置 tells the township what was done"
    await _step(stage, POLICE, did, report, "township-notice", **told)
    await stage.until("2026-11-06")
    day = {"day": stage.today}
    particulars = [
        {"measure": "parents_admonished", "paper_number": "公〔2026〕5号", **day},
        {"measure": "parents_returned", **day},
    ]
    deed = {"kind": "living_alone", "at": stage.at, "measures": ["parents_returned"]}
    did = "补全文书,父母已返回 says papers and outcome"
    await _step(stage, POLICE, did, report, "dispositions", **deed, particulars=particulars)
    said = {"at": stage.at, "stage": "not_filed", "explanation": "未发现违法行为,不予立案。"}
    await _step(stage, POLICE, "说明不予立案 files no case", report, "investigation", **said)
    told = {"sent_at": stage.at, "content": "父母已返回。"}
    did = "再次通报乡镇 tells the township again"
    await _step(stage, POLICE, did, report, "township-notice", **told)
    await stage.until("2026-11-09")
    await _assessed(stage, report, "调查评估样小一 assesses")
    services = [
        {"kind": kind, "provider": "社工站", "started": True}
        for kind in ("guardianship_guidance", "counselling")
    ]
    asked = {"arranged_at": stage.at, "services": services}
    did = "安排监护指导和心理疏导 arranges guidance and counselling"
    await _step(stage, GOVERNMENT, did, report, "services", **asked)


async def _assessed(stage: Stage, report: str, did: str) -> None:
    await _step(stage, GOVERNMENT, did, report, "assessment", **{**ASSESS, "assessed_at": stage.at})


async def _left(stage: Stage, child: str) -> None:
    """The same of another child: each step comes when its time is over."""
    await stage.until("2026-11-10")
    did = "报告样小二独居 reports a child living alone"
    report = await _filed(stage, did, child_id=child, subject=None)
    await stage.until("2026-11-11", "12:00")
    await _accepted(stage, report, "逾期后受理 accepts, too late")
    asks = {"dispatched_at": stage.at, "unit": "一组", "help_wanted": "请提供到校记录。"}
    did = "逾期后出警,请学校协助 goes out, too late"
    await _step(stage, POLICE, did, report, "dispatch", **asks)
    await stage.until("2026-11-13")
    deed = {"kind": "living_alone", "at": stage.at, "measures": [*MEASURES[:1]], "omitted": LATER}
    did = "逾期后处置,未训诫 acts, too late; admonishes nobody"
    await _step(stage, POLICE, did, report, "dispositions", **deed)
    await stage.until("2026-11-16")
    told = {"sent_at": stage.at, "content": "父母已被责令返回。"}
    did = "逾期后通报乡镇 tells the township, too late"
    await _step(stage, POLICE, did, report, "township-notice", **told)
    await stage.until("2026-11-25")
    helped = {"helped_at": stage.at, "help_given": "已派老师陪同。"}
    await _step(stage, SCHOOL, "逾期后协助 helps, too late", report, "assistance", **helped)
    await _assessed(stage, report, "逾期后调查评估 assesses, too late")


async def _unknown(stage: Stage, child: str) -> None:
    """Nobody knows which child: one is identified and assessed, and gets no services; one is not;
    the police act.
    """
    for name in ("甲", "乙"):
        report = await _filed(stage, f"报告无名儿童{name} reports a child nobody knows")
        if name == "甲":
            known = {"identified_at": stage.at, "child_id": child, "basis": "村里辨认。"}
            did = "查明是样小一 says which child it is"
            await _step(stage, GOVERNMENT, did, report, "child", **known)
        await _accepted(stage, report, "受理 accepts")
        went = {"dispatched_at": stage.at, "unit": "一组"}
        await _step(stage, POLICE, "出警 goes out", report, "dispatch", **went)
        day = {"day": stage.today}
        deed = {
            "kind": "living_alone",
            "at": stage.at,
            "measures": [*MEASURES, "parents_returned"],
            "particulars": [
                {"measure": "parents_admonished", "paper_number": "公〔2026〕4号", **day},
                {"measure": "parents_returned", **day},
            ],
        }
        did = "训诫父母,父母已返回 the parents are back"
        await _step(stage, POLICE, did, report, "dispositions", **deed)
        told = {"sent_at": stage.at, "content": "父母已返回。"}
        await _step(stage, POLICE, "通报乡镇 tells the township", report, "township-notice", **told)
        if name == "甲":
            await _assessed(stage, report, "调查评估 assesses")
