"""The school: its attendance system pushes absences, its teacher persuades, writes and reports.

`python -m demo.school BASE DATA_DIR PART`, a process of its own under the school's own tokens.
"""

import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from app.core.clock import local_date, utc_now
from demo import api
from demo.cast import STUDENT_NUMBERS
from demo.stage import poll
from demo.telling import tell

SATURDAY = 5
DAYS_MISSED = 7
TIMES_PUSHED = 5


def last_school_days(today: date, count: int) -> list[date]:
    """Return the last `count` weekdays before today, oldest first."""
    days: list[date] = []
    day = today
    while len(days) < count:
        day -= timedelta(days=1)
        if day.weekday() < SATURDAY:
            days.append(day)
    return days[::-1]


def push(base: str, data_dir: Path) -> None:
    """Push the absences of seven school days as CloudEvents, the last day's batch five times."""
    gate = api.machine(base, data_dir, "school_system", "education")
    pupils = [gate.get(f"/v1/children/{one['id']}") for one in gate.items("/v1/children")]
    truant = _oldest(pupils)
    tell("school", f"{len(pupils)} pupils are visible to the school's system: its own, no others")
    results: list[Counter[str]] = []
    for day in last_school_days(local_date(utc_now()), DAYS_MISSED):
        batch = [_event(pupil, day, missing=pupil is truant) for pupil in pupils]
        results.append(_push(gate, batch))
    tell("school", f"pushed {DAYS_MISSED} days, {len(pupils)} events each: {_said(results)}")
    again = [_push(gate, batch) for _ in range(TIMES_PUSHED - 1)]
    tell("school", f"pushed the last day {TIMES_PUSHED - 1} times more: {_said(again)}")
    (data_dir / "truant").write_text(truant["id"])


def _oldest(pupils: list[Any]) -> Any:
    return min(pupils, key=lambda pupil: pupil["identity"]["birth_date"])


def _said(results: list[Counter[str]]) -> str:
    total = sum(results, Counter[str]())
    return ", ".join(f"{count} {status}" for status, count in sorted(total.items()))


def _event(pupil: Any, day: date, *, missing: bool) -> dict[str, Any]:
    number = next(
        one["number"]
        for one in pupil["education"]["student_numbers"]
        if one["system"] == STUDENT_NUMBERS
    )
    source, event_id, moment = "urn:demo:school:gate", f"{day}/{number}", f"{day}T08:05:00+08:00"
    return {
        "specversion": "1.0",
        "type": "cn.tonghu.attendance.v1",
        "source": source,
        "id": event_id,
        "time": moment,
        "datacontenttype": "application/json",
        "data": {
            "student": {"system": STUDENT_NUMBERS, "number": number},
            "school_day": day.isoformat(),
            "session": "whole_day",
            "category": "unexcused" if missing else "present",
        },
    }


def _push(gate: api.Api, batch: list[dict[str, Any]]) -> Counter[str]:
    answer = gate.call(
        "POST",
        "/v1/attendance-events",
        batch,
        media_type="application/cloudevents-batch+json",
        prefer="return=minimal",
    )
    return Counter({status: n for status, n in answer.json()["counts"].items() if n})


def _alert(teacher: api.Api, data_dir: Path) -> Any:
    truant = (data_dir / "truant").read_text()
    found = [one for one in teacher.items("/v1/dropout-alerts") if one["child_id"] == truant]
    return found[0] if found else None


def persuade(base: str, data_dir: Path) -> None:
    """Try three times to bring the child back, in vain; then write to education and township."""
    teacher = api.person(base, data_dir, "teacher", "education")
    alert = poll(
        "A dropout alert",
        lambda: (found := _alert(teacher, data_dir)) and found["registered_on"] and found,
    )
    tell(
        "school",
        f"one alert is open: {alert['unexcused_days']} school days missed, state {alert['state']}",
    )
    path = f"/v1/dropout-alerts/{alert['id']}"
    attempts = (("phone", "unreachable"), ("home_visit", "refused"), ("home_visit", "refused"))
    today = local_date(utc_now()).isoformat()
    for number, (method, outcome) in enumerate(attempts, start=1):
        body = {
            "persuaded_on": today,
            "by": "class_teacher",
            "method": method,
            "outcome": outcome,
            "final": number == len(attempts),
        }
        alert = _change(teacher, f"{path}/persuasions", path, body)
        tell("school", f"persuasion {number} by {method}: {outcome}, state {alert['state']}")
    report = {"number": "DEMO-1", "cause": "tired_of_school", "whereabouts": "at_home"}
    alert = _change(teacher, f"{path}/written-report", path, report)
    receipts = [one["kind"] for one in alert["written_report"]["receipts"]]
    tell("school", f"written report sent to {' and '.join(receipts)} (EDU-04, EDU-05)")


def welcome(base: str, data_dir: Path) -> None:
    """Record the child's return."""
    teacher = api.person(base, data_dir, "teacher", "education")
    path = f"/v1/dropout-alerts/{_alert(teacher, data_dir)['id']}"
    today = local_date(utc_now()).isoformat()
    body = {"returned_on": today, "kind": "same_school"}
    alert = _change(teacher, f"{path}/return", path, body)
    tell("school", f"the child is back, state {alert['state']}")


def _change(caller: api.Api, path: str, resource: str, body: Any) -> Any:
    tag = caller.call("GET", resource).headers["etag"]
    return caller.call("POST", path, body, if_match=tag).json()


if __name__ == "__main__":
    {"push": push, "persuade": persuade, "welcome": welcome}[sys.argv[3]](
        sys.argv[1], Path(sys.argv[2])
    )
