"""A school's term: numbers nobody has, absences, persuasion, reports, orders, and doubts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from app.core.clock import CHINA
from app.dropout_alerts import acts
from app.policy import parameters, queries
from app.policy.rules import effective
from tests.access.factories import an_agency
from tests.attendance.factories import an_event
from tests.dropout_alerts.factories import a_report, an_attempt
from tests.police_reports.factories import a_report as a_police_report
from tests.police_reports.factories import an_endpoint
from tests.police_reports.test_dispositions import ESCORT, PAPER
from tests.regions.factories import some_regions
from tests.simulations.stage import CITY, COUNTY, TOWNSHIP, VILLAGE, Stage

CHAIN: Final = (
    *(
        "EDU-01",
        "EDU-01.contact",
        "EDU-01.silent",
        "EDU-01.presence",
        "EDU-01.presence_above",
        "EDU-02",
        "EDU-02.doubt",
    ),
    *("EDU-03", "EDU-03.ended", "EDU-04", "EDU-06", "EDU-07", "EDU-07.back"),
    "REG-10.school",
)
BEGINS: Final = datetime(2026, 9, 1, 9, tzinfo=CHINA)
AT_ONCE, AT_ONCE_TOWNSHIP = 120101000000, 120101001000
"""A district where the demonstration's policy asks for a report at once (EDU-06)."""
TEACHER, SYSTEM, NEW, NEW_SYSTEM = "镇小学", "镇小学考勤系统", "新学校", "新学校考勤系统"
BUREAU, GOVERNMENT, CIVIL_AFFAIRS = "区教育局", "乡镇政府", "区民政局"
ELSEWHERE, ELSEWHERE_SYSTEM = "示范区小学", "示范区小学考勤系统"
SIX = tuple(f"2026-09-{day:02d}" for day in (7, 8, 9, 10, 11, 14))


@contextmanager
def _demonstrated() -> Iterator[None]:
    """Put the demonstration's rule on reports at once in force beside the others."""
    kept = acts._escalate_when
    demo = parameters.demo_values_in(parameters.demo_file(), queries.parameters())
    name = "dropout.escalate_when"
    values = [each for each in (*queries.values(), *demo) if each.name == name]
    acts._escalate_when = lambda code, on: effective(values, name, code, on).value  # type: ignore[misc]
    try:
        yield
    finally:
        acts._escalate_when = kept  # type: ignore[misc]


async def play(stage: Stage) -> None:
    await _enter(stage)
    with _demonstrated():
        pupils = await _pupils(stage)
        await _collected(stage, pupils["样小一"])
        await _absences(stage, pupils)
        await _acted(stage, pupils["样小二"])
        await _not_acted(stage, pupils["样小三"])
        await _at_once(stage, pupils)
        await _numbers(stage, pupils)
        await _doubts(stage, pupils)
        await _kept_from_the_school(stage, pupils)
        await stage.until("2027-01-15")


async def _enter(stage: Stage) -> None:
    await some_regions(stage.database, VILLAGE, AT_ONCE_TOWNSHIP + 1)
    for teacher, system, place in (
        (TEACHER, SYSTEM, TOWNSHIP),
        (NEW, NEW_SYSTEM, TOWNSHIP),
        (ELSEWHERE, ELSEWHERE_SYSTEM, AT_ONCE_TOWNSHIP),
    ):
        school = await stage.enter(teacher, "school", place)
        await stage.enter(system, "school_system", place, agency_id=school.agency_id)
    await stage.enter(BUREAU, "education_authority", COUNTY)
    await stage.enter("示范区教育局", "education_authority", AT_ONCE)
    await stage.enter("市教育局", "education_authority", CITY)
    await stage.enter(GOVERNMENT, "township_supervisor", TOWNSHIP)
    await stage.enter(CIVIL_AFFAIRS, "civil_affairs", COUNTY)
    await stage.enter("市民政局", "civil_affairs", CITY)
    await stage.enter("儿童主任", "village_director", VILLAGE)
    police = await stage.enter("派出所", "police", TOWNSHIP)
    await an_endpoint(stage.database, police.agency_id, TOWNSHIP)


async def _pupils(stage: Stage) -> dict[str, str]:
    """Enrol eight at the school, two of them where a report is owed at once. Of two nobody said
    what stage they are in.
    """
    found = {}
    for number, name in enumerate("一二三四五六七八", start=1):
        there = name in "四五"
        school = stage.cast[ELSEWHERE if there else TEACHER].agency_id
        place = AT_ONCE_TOWNSHIP + 1 if there else VILLAGE
        student = {"system": "student_status", "number": f"G-{number}"}
        education = {
            "stage": None if name in "一八" else "primary",
            "status": "enrolled",
            "school_id": str(school),
            "since": "2026-09-01",
            "class_name": "三年级2班",
            "student_numbers": [student],
        }
        called = f"样小{name}"
        found[called] = await stage.file(
            "市民政局", called, number, place=place, education=education
        )
    return found


async def _collected(stage: Stage, child: str) -> None:
    """Of the other of its class the school does not ask."""
    await stage.until("2026-09-03")
    listed = await stage.call(TEACHER, "GET", "duties?class_name=三年级2班&rule=REG-10.school")
    assert child in {each["child_id"] for each in listed.json()["items"]}
    path, said = f"children/{child}", {"education": {"stage": "primary"}}
    did = "采集三年级2班留守儿童信息 asks in the class"
    await stage.act(TEACHER, did, path, said, method="PATCH", on=path)


async def _push(stage: Stage, system: str, did: str, *events: dict[str, Any]) -> None:
    await stage.act(system, did, "attendance-events", {"events": list(events)})


def _said(stage: Stage, child: str, day: str, category: str, **fields: Any) -> dict[str, Any]:
    event = an_event(child, day, category=category, **fields)  # type: ignore[arg-type]
    return {**event, "time": stage.at, "id": f"{child}-{day}-{category}-{stage.at}"}


async def _absences(stage: Stage, pupils: dict[str, str]) -> None:
    """Of four who are missed, the parents of two are spoken to the same day; two are persuaded
    to come back when they stand in the register.
    """
    for day in SIX:
        await stage.until(day)
        missed = [pupils[name] for name in ("样小二", "样小三", "样小六")]
        if day == SIX[0]:
            missed.append(pupils["样小一"])
        events = [_said(stage, each, day, "unexcused") for each in missed]
        await _push(stage, SYSTEM, f"报{len(missed)}名学生旷课 pupils are missing", *events)
        if day == SIX[0]:
            await stage.until(day, "10:00")
            spoken = {"spoken_on": stage.today, "method": "phone"}
            for name in ("样小一", "样小二"):
                did = f"电话联系{name}的家长 speaks to the parents"
                await _step(stage, TEACHER, did, pupils[name], "parent-contacts", spoken)
        if day == SIX[1]:
            here = _said(stage, pupils["样小一"], day, "present")
            await _push(stage, SYSTEM, "报样小一到校 is back", here)
    await stage.until("2026-09-14", "15:00")
    did = "家访样小二,答应返校 persuades"
    attempt = _attempt(stage, "promised")
    await _step(stage, TEACHER, did, pupils["样小二"], "persuasions", attempt)
    entry = {"cause": "working", "whereabouts": "working_away"}
    did = "登记样小二的辍学原因 enters cause and place"
    await _step(stage, TEACHER, did, pupils["样小二"], "register-entries", entry)
    child = pupils["样小六"]
    did = "家访劝返样小六,答应返校 persuades"
    await _step(stage, TEACHER, did, child, "persuasions", _attempt(stage, "promised"))
    await stage.until("2026-09-15", "08:30")
    back = {"returned_on": stage.today, "kind": "same_school"}
    await _step(stage, TEACHER, "样小六复学 records the return", child, "return", back)
    roll = {
        "source": "urn:school:test:class",
        "id": f"roll-{stage.today}",
        "category": "roll",
        "class_name": "三年级2班",
        "school_day": stage.today,
        "session": "whole_day",
        "time": stage.at,
    }
    did = "三年级2班点名 calls the class in full"
    await _push(stage, ELSEWHERE_SYSTEM, did, roll)


def _attempt(stage: Stage, outcome: str = "refused", **fields: Any) -> dict[str, Any]:
    return an_attempt(persuaded_on=stage.today, outcome=outcome, **fields)


async def _step(stage: Stage, who: str, did: str, child: str, path: str, body: Any = None) -> Any:
    """Take a step on the alert of a child."""
    listed = await stage.call(who, "GET", f"dropout-alerts?child_id={child}")
    alert = listed.json()["items"][0]
    url = f"dropout-alerts/{alert['id']}"
    return await stage.act(who, did, f"{url}/{path}", body, on=url)


async def _acted(stage: Stage, child: str) -> None:
    """Of the first each does what it owes, in time."""
    await stage.until("2026-09-16")
    did = "家访劝返样小二,无效 persuades, in vain"
    await _step(stage, TEACHER, did, child, "persuasions", _attempt(stage, final=True))
    await stage.until("2026-09-17")
    await _step(stage, TEACHER, "书面报告 writes", child, "written-report", a_report())
    await stage.until("2026-09-18")
    await _order(stage, BUREAU, "责令样小二返校 orders the child back", child, "2026-09-28")
    did = "与监护人谈话 speaks with the guardian"
    talk = {"kind": "talk_with_guardian", "ordered_on": stage.today}
    await _step(stage, GOVERNMENT, did, child, "measures", talk)
    await stage.until("2026-09-24")
    back = {"returned_on": stage.today, "kind": "same_school"}
    await _step(stage, TEACHER, "样小二复学 records the return", child, "return", back)


async def _order(stage: Stage, who: str, did: str, child: str, by: str) -> None:
    order = {
        "kind": "order_to_guardian",
        "ordered_on": stage.today,
        "order_number": "责令2026-7",
        "back_by": by,
    }
    await _step(stage, who, did, child, "measures", order)


async def _not_acted(stage: Stage, child: str) -> None:
    """Of the second each is late, and the child does not come back by the day of the order."""
    await stage.until("2026-09-29")
    did = "逾期后劝返样小三,无效 persuades, too late"
    await _step(stage, TEACHER, did, child, "persuasions", _attempt(stage, final=True))
    await stage.until("2026-10-12")
    did = "逾期后书面报告 writes, too late"
    await _step(stage, TEACHER, did, child, "written-report", a_report())
    await stage.until("2026-10-26")
    await _order(stage, BUREAU, "逾期后责令返校 orders, too late", child, "2026-10-30")


async def _at_once(stage: Stage, pupils: dict[str, str]) -> None:
    await stage.until("2026-11-02")
    for name in ("样小四", "样小五"):
        event = _said(stage, pupils[name], stage.today, "unexcused")
        await _push(stage, ELSEWHERE_SYSTEM, f"报{name}旷课 is missing", event)
    await stage.until("2026-11-02", "11:00")
    did = "第一时间书面报告样小四 writes at once"
    await _step(stage, ELSEWHERE, did, pupils["样小四"], "written-report", a_report())
    for name in ("样小四", "样小五"):
        await stage.until("2026-11-03")
        event = _said(stage, pupils[name], "2026-11-02", "withdrawn", sequence=1)
        await _push(stage, ELSEWHERE_SYSTEM, f"撤回{name}的旷课 takes it back", event)
    await stage.until("2026-11-04")
    decision = {"decision": "stands", "note": "班主任家访核实"}
    did = "核实样小四确有旷课 looks into it"
    await _step(stage, ELSEWHERE, did, pupils["样小四"], "doubt/decision", decision)


async def _numbers(stage: Stage, pupils: dict[str, str]) -> None:
    """Two numbers that nobody has: one is corrected, one is left."""
    await stage.until("2026-11-09")
    for number in ("G-没有", "G-查无"):
        student = {"system": "student_status", "number": number}
        event = _said(stage, pupils["样小一"], stage.today, "present", student=student, id=number)
        await _push(stage, SYSTEM, f"报到校,学籍号{number} of a number nobody has", event)
    await stage.until("2026-11-10")
    listed = (await stage.call(TEACHER, "GET", "unresolved?kind=attendance")).json()["items"]
    item = min(listed, key=lambda each: str(each["id"]))
    url = f"unresolved/{item['id']}"
    body = {"child_id": pupils["样小一"], "words": "录入有误"}
    did = "补正学籍号 says whose number it is"
    await stage.act(TEACHER, did, f"{url}/attachment", body, on=url)


async def _doubts(stage: Stage, pupils: dict[str, str]) -> None:
    """A pupil changed school; both say that it was there. One school looks, the other does not."""
    await stage.until("2026-11-18")
    child = pupils["样小六"]
    education = {"school_id": str(stage.cast[NEW].agency_id), "since": stage.today}
    path = f"children/{child}"
    did = "样小六转学 the pupil changes school"
    await stage.act("市民政局", did, path, {"education": education}, method="PATCH", on=path)
    for system in (SYSTEM, NEW_SYSTEM):
        event = _said(stage, child, "2026-11-17", "present")
        await _push(stage, system, "报样小六17日到校 says that it was there", event)
    await stage.until("2026-11-19")
    await _find(stage, TEACHER, "核实样小六在何处 looks where it was")


async def _find(stage: Stage, who: str, did: str) -> None:
    listed = (await stage.call(who, "GET", "presence-doubts")).json()["items"]
    [doubt] = [each for each in listed if "recordPresenceFinding" in each["permitted"]]
    body = {"finding": "elsewhere", "note": "班主任核实"}
    await stage.act(who, did, f"presence-doubts/{doubt['id']}/finding", body)


async def _kept_from_the_school(stage: Stage, pupils: dict[str, str]) -> None:
    """The police placed two in a shelter after reports against the school, which says that they
    are there: who is above it looks, once in time and once not at all.
    """
    shelter = await an_agency(stage.database, "rescue_institution", COUNTY)
    against = str(stage.cast[TEACHER].agency_id)
    for name, day in (("样小七", "2026-12-01"), ("样小八", "2026-12-14")):
        await stage.until(day)
        child = pupils[name]
        report = a_police_report(
            child_id=child,
            subject=None,
            situations=["guardian_failure"],
            found_at=stage.at,
            suspect_agency_id=against,
        )
        did = f"报告{name}的情况,涉及学校 reports, against the school"
        report_id = (await stage.act("儿童主任", did, "police-reports", report))["id"]
        deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"} | {
            "placed_with_agency_id": str(shelter),
            "hand_over": {**PAPER, "handed_over_on": day},
            "at": stage.at,
        }
        path = f"police-reports/{report_id}/dispositions"
        await stage.act("派出所", f"将{name}护送至救助站 brings it to a shelter", path, deed)
        await stage.until(day, "15:00")
        event = _said(stage, child, day, "present")
        await _push(stage, SYSTEM, f"报{name}到校 says that it is there", event)
        if name == "样小七":
            await stage.until("2026-12-02")
            await _find(stage, BUREAU, "代学校核实 looks in the school's place")
