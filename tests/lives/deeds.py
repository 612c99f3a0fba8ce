"""What people do and what befalls them, right and wrong, in time and late, once and again."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.core.jobs import queue
from app.regions.operations import replace_region
from tests.attendance.factories import an_event
from tests.dropout_alerts.factories import a_report as a_written_report
from tests.dropout_alerts.factories import an_attempt
from tests.jobs import run_jobs
from tests.lives.world import CLASS, Sent, World, township_of
from tests.police_reports.factories import a_report
from tests.visits.factories import a_visit, something_wrong

_DAILY = (
    "police_reports.route_waiting",
    "police_reports.mark_overdue",
    "duties.open_period",
    "duties.mark_overdue",
)
"""What the worker does by the clock, once a day here."""


def _day_past(world: World, most: int) -> date:
    return world.today - timedelta(days=min(world.rng.randint(0, most), world.now.day + 20))


def _keep(world: World, kind: str, key: tuple[Any, ...], answer: httpx.Response) -> None:
    world.sent.append(Sent(kind, key, answer.status_code, answer.text[:300]))
    world.tell(f"{kind} {key}: {answer.status_code}")


async def time_passes(world: World) -> None:
    """One to four days; the worker runs meanwhile."""
    for _ in range(world.rng.randint(1, 4)):
        world.now += timedelta(days=1)
        async with world.database.begin(SYSTEM) as tx:
            for name in _DAILY:
                await queue.enqueue(tx.connection, name, [{}])
        await run_jobs(world.database)


async def pupils_are_missed(world: World) -> None:
    """A school says of some who were its pupils on a day what it saw; sometimes weeks later,
    sometimes with a clock that runs ahead, sometimes twice.
    """
    rng = world.rng
    school = rng.choice([*world.schools])
    day = _day_past(world, 20)
    events, keys = [], []
    for life in world.children:
        if life.school(day) != school or rng.random() < 0.3:
            continue
        category = rng.choice(["unexcused"] * 6 + ["present", "present", "excused"])
        session = rng.choice(["whole_day", "whole_day", "whole_day", "morning", "afternoon"])
        moment = world.now + timedelta(minutes=rng.choice([0, 0, 0, 10, 26 * 60]))
        event = an_event(life.id, day, category=category, session=session, time=moment.isoformat())
        events.append(event)
        keys.append((school, event["source"], event["id"]))
    if not events:
        return
    for _ in range(rng.choice([1, 1, 2])):
        system = world.schools[school].system
        answer = await world.call(system, "POST", "attendance-events", {"events": events})
        for at, key in enumerate(keys):
            result = answer.json()["results"][at] if answer.status_code == 202 else {}
            lost = result.get("status", "rejected") == "rejected"
            said = str(result or answer.text[:300])
            world.sent.append(Sent("absence", key, 422 if lost else 202, said))
            world.tell(f"{school} of {events[at]['student']} on {day}: {events[at]['category']}")
    await run_jobs(world.database)


async def a_class_is_called(world: World) -> None:
    """In full: whoever of it nothing else was said of was there."""
    school, day = world.rng.choice([*world.schools]), _day_past(world, 10)
    roll = {
        "source": "urn:school:test:gate",
        "id": f"roll-{new_id()}",
        "class_name": CLASS,
        "school_day": day.isoformat(),
        "session": "whole_day",
        "category": "roll",
        "time": world.now.isoformat(),
    }
    system = world.schools[school].system
    answer = await world.call(system, "POST", "attendance-events", {"events": [roll]})
    assert answer.status_code == 202, answer.text
    assert answer.json()["results"][0]["status"] == "accepted", answer.text
    world.tell(f"{school} calls its class for {day}")
    await run_jobs(world.database)


async def somebody_writes_of_a_child_nobody_has(world: World) -> None:
    """An id made offline whose file never came, a number nobody bears."""
    if world.rng.random() < 0.5:
        director = world.rng.choice(world.directors)
        body = a_visit(new_id(), visited_on=world.today.isoformat())
        answer = await world.call(director, "POST", "visits", body)
        _keep(world, "stray visit", (UUID(body["id"]),), answer)
    else:
        school = world.rng.choice([*world.schools])
        student = {"system": "student_status", "number": f"G{world.rng.randint(1, 9)}"}
        event = an_event(new_id(), world.today, student=student, time=world.now.isoformat())
        system = world.schools[school].system
        answer = await world.call(system, "POST", "attendance-events", {"events": [event]})
        lost = answer.json()["results"][0]["status"] == "rejected"
        key = (school, event["source"], event["id"])
        world.sent.append(Sent("stray absence", key, 422 if lost else 202, answer.text[:300]))
    await run_jobs(world.database)


async def a_director_visits(world: World) -> None:
    """Whoever looked after a child on the day says what they saw, now or two weeks later."""
    rng = world.rng
    life, day = rng.choice(world.children), _day_past(world, 14)
    moved = [each for each in world.children if len(each.homes) > 1]
    if moved and rng.random() < 0.5:  # the phone has been without signal since before the move
        life = rng.choice(moved)
        day = life.homes[-1][0] - timedelta(days=1)
    elif rng.random() < 0.1:
        day = world.today + timedelta(days=1)  # the phone's clock
    director = world.directors[life.home(min(day, world.today))]
    findings = [something_wrong()] if rng.random() < 0.4 else []
    body = a_visit(life.id, visited_on=day.isoformat(), findings=findings)
    for _ in range(rng.choice([1, 1, 2])):
        answer = await world.call(director, "POST", "visits", body)
        _keep(world, "visit", (UUID(body["id"]),), answer)
    await run_jobs(world.database)


async def harm_is_reported(world: World) -> None:
    """By a director or teacher, with whatever stands beside it."""
    rng = world.rng
    life = rng.choice(world.children)
    place = world.places[life.home(world.today)]
    who = rng.choice([*world.directors, *world.teachers.values()])
    ahead = timedelta(minutes=rng.choice([0, 0, 10, 26 * 60]))
    dirt = rng.choice(
        [
            {},
            {"suspect_agency_id": str(who.agency_id)},
            {"suspect_agency_id": str(rng.choice([*world.police.values()]).agency_id)},
            {"reporter": {"name": "样甲", "phone": "022 2959 0000转8", "position": "教师"}},
            {"region_code": f"{rng.choice(world.old_codes):012d}"},
            {"situations": ["不知道"]},
            {"region_code": rng.choice(["130102000000", "120199000000", "12", "村东头"])},
        ]
    )
    whom = {"child_id": str(life.id), "subject": None} if rng.random() < 0.6 else {}
    body = a_report(
        **{
            "id": str(new_id()),
            "region_code": f"{place:012d}",
            "found_at": (world.now + ahead).isoformat(),
            **whom,
            **dirt,
        }
    )
    for _ in range(rng.choice([1, 1, 2])):
        answer = await world.call(who, "POST", "police-reports", body)
        _keep(world, "report", (UUID(body["id"]),), answer)
    await run_jobs(world.database)


async def a_child_moves(world: World) -> None:
    life, home = world.rng.choice(world.children), world.rng.randrange(len(world.places))
    place = {"residence": {"region_code": f"{world.places[home]:012d}"}}
    answer = await world.change_file(life, place)
    assert answer.status_code == 200, answer.text
    life.homes.append((world.today, home))
    world.tell(f"{life.id} moves to {world.places[home]}")
    await run_jobs(world.database)


async def a_pupil_changes_school(world: World) -> None:
    """Or leaves school, and nobody says where to."""
    life = world.rng.choice(world.children)
    school = world.rng.choice([*world.schools, None])
    education = {"school_id": None if school is None else str(school)}
    answer = await world.change_file(life, {"education": education})
    assert answer.status_code == 200, answer.text
    life.schools.append((world.today, school))
    world.tell(f"{life.id} is enrolled at {school}")
    await run_jobs(world.database)


async def a_school_acts(world: World) -> None:
    """On an alert it keeps: it persuades, writes, or records the return."""
    school = world.rng.choice([*world.teachers])
    teacher = world.teachers[school]
    answer = await world.call(teacher, "GET", "dropout-alerts")
    for alert in answer.json()["items"]:
        able = sorted({*alert["permitted"]} - {"readDropoutAlert"})
        if not able or world.rng.random() < 0.5:
            continue
        act = world.rng.choice(able)
        path, body = _step(world, act)
        if path is None:
            continue
        version = {"if-match": f'"{alert["version"]}"'}
        done = await world.call(
            teacher, "POST", f"dropout-alerts/{alert['id']}/{path}", body, **version
        )
        world.tell(f"{school} {act} of {alert['child_id']}: {done.status_code}")
    await run_jobs(world.database)


def _step(world: World, act: str) -> tuple[str | None, Any]:
    today = world.today.isoformat()
    return {
        "recordPersuasion": ("persuasions", an_attempt(persuaded_on=today)),
        "sendWrittenReport": ("written-report", a_written_report()),
        "recordReturn": ("return", {"returned_on": today, "kind": "same_school"}),
    }.get(act, (None, None))


async def police_lose_or_get_their_system(world: World) -> None:
    officer = world.rng.choice([*world.police.values()])
    endpoint = world.endpoints[officer.agency_id]
    async with world.database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET active = NOT active WHERE id = $1", endpoint
        )
    world.tell(f"the endpoint of {officer.agency_id} comes or goes")


async def a_village_gets_another_code(world: World) -> None:
    """Under the same township, as happens every year to some."""
    at = world.rng.randrange(len(world.places))
    old = world.places[at]
    new = township_of(old) + world.rng.randint(300, 998)
    if world.recoded.get(old) == world.today or new in (*world.places, *world.old_codes):
        return
    async with world.database.begin(SYSTEM) as tx:
        await replace_region(tx, old, new, world.today)
    world.places[at], world.recoded[new] = new, world.today
    world.old_codes.append(old)
    world.tell(f"{old} is {new}")
    await run_jobs(world.database)


async def police_act(world: World) -> None:
    """They accept what they have."""
    officer = world.rng.choice([*world.police.values()])
    answer = await world.call(officer, "GET", "police-reports")
    for report in answer.json()["items"][:2]:
        if "acknowledgeReport" not in report["permitted"]:
            continue
        body = {"police_reference": f"受{report['id']}", "accepted_at": world.now.isoformat()}
        done = await world.call(
            officer, "PUT", f"police-reports/{report['id']}/acknowledgement", body
        )
        world.tell(f"{officer.agency_id} accepts {report['id']}: {done.status_code}")
    await run_jobs(world.database)


DEEDS = (
    *((time_passes,) * 4),
    *((pupils_are_missed,) * 8),
    *((a_class_is_called,) * 2),
    somebody_writes_of_a_child_nobody_has,
    *((a_director_visits,) * 4),
    *((harm_is_reported,) * 3),
    *((a_child_moves,) * 2),
    *((a_pupil_changes_school,) * 2),
    *((a_school_acts,) * 2),
    police_act,
    police_lose_or_get_their_system,
    a_village_gets_another_code,
)
