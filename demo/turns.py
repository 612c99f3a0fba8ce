"""What life brings in the middle of it: a move, a late list, a boarder, a report against one's own
director, a child nobody knows, a code of 2015; and what each office sees at each step.

`python -m demo.turns BASE DATA_DIR PART`, a process of its own; each office calls under its own
token.
"""

import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from app.core.clock import local_date, utc_now
from app.core.ids import new_id
from demo import api
from demo.cast import Cast
from demo.school import last_school_days
from demo.stage import poll
from demo.telling import tell

CLASS = "四年级一班"
BEFORE_2016 = "120225000000"
"""蓟县, since 2016 蓟州区 120119000000."""


def _change(caller: api.Api, child_id: str, sections: dict[str, Any]) -> Any:
    path = f"/v1/children/{child_id}"
    tag = caller.call("GET", path).headers["etag"]
    return caller.call("PATCH", path, sections, if_match=tag).json()


def _sees(caller: api.Api, path: str) -> str:
    answer = caller.call("GET", path, expect=(200, 403, 404))
    return "reads it" if answer.is_success else f"gets {answer.status_code}"


def _look(path: str, *offices: tuple[str, str, api.Api]) -> None:
    """Tell what each office sees of one thing."""
    for who, office, caller in offices:
        tell(who, f"  {office} {_sees(caller, path)}")


def _event(child_id: str, day: date, category: str, *, sequence: int = 0) -> dict[str, Any]:
    return {
        "source": "urn:demo:school:office",
        "id": f"{day}/{child_id}/{sequence}",
        "student": {"child_id": child_id},
        "school_day": day.isoformat(),
        "session": "whole_day",
        "category": category,
        "time": utc_now().isoformat(),
        "sequence": sequence,
    }


def _pushed(gate: api.Api, *events: dict[str, Any]) -> list[dict[str, Any]]:
    answer = gate.call("POST", "/v1/attendance-events", {"events": list(events)})
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def _alert(caller: api.Api, child_id: str, field: str) -> Any:
    """Wait for an alert on a child that says something in `field`."""

    def found() -> Any:
        alerts = caller.items(f"/v1/dropout-alerts?child_id={child_id}")
        return next((alert for alert in alerts if alert[field]), None)

    return poll("An alert", found)


def move(base: str, data_dir: Path) -> None:
    """Let a child move while its director has no signal; what the director saw still arrives."""
    city = api.machine(base, data_dir, "city", "registration")
    phone = api.person(base, data_dir, "village_director", "care")
    township = api.person(base, data_dir, "township_supervisor", "care")
    other = api.machine(base, data_dir, "other_district", "care")
    county = api.machine(base, data_dir, "county", "care")
    [child, *_] = [one["id"] for one in phone.items("/v1/children")]
    yesterday = (local_date(utc_now()) - timedelta(days=1)).isoformat()
    village = next(
        one["residence"]["region_code"] for one in other.items("/v1/children") if "residence" in one
    )
    _change(city, child, {"residence": {"region_code": village}})
    tell("city", "moves a child to another district; its director has no signal and knows nothing")
    visit = {
        "id": str(new_id()),
        "child_id": child,
        "visited_on": yesterday,
        "visitor_type": "child_director",
        "findings": [{"domain": "life", "abnormal": False}],
        "policies_explained": ["child_protection"],
    }
    sent = phone.call("POST", "/v1/visits", visit).status_code
    tell("phone", f"sends yesterday's visit from the old village: {sent}, kept")
    _look(
        f"/v1/visits/{visit['id']}",
        ("phone", "the old director", phone),
        ("township", "the old township", township),
        ("township", "the old district", county),
        ("township", "the district it lives in now", other),
    )


def late_list(base: str, data_dir: Path) -> None:
    """Bring a class's paper lists in late; they contradict a register that stands."""
    city = api.machine(base, data_dir, "city", "registration")
    gate = api.machine(base, data_dir, "school_system", "education")
    teacher = api.person(base, data_dir, "teacher", "education")
    bureau = api.machine(base, data_dir, "education", "education")
    director = api.person(base, data_dir, "village_director", "education")
    township = api.person(base, data_dir, "township_supervisor", "education")
    other = api.machine(base, data_dir, "other_district", "education")
    truant = (data_dir / "truant").read_text()
    pupils = [one["id"] for one in gate.items("/v1/children") if one["id"] != truant]
    days = last_school_days(local_date(utc_now()), 6)
    for child in pupils:
        section = {"class_name": CLASS, "since": days[0].isoformat()}
        _change(city, child, {"education": section})
    _pushed(gate, *(_event(pupils[-1], day, "unexcused", sequence=1) for day in days))
    alert = _alert(teacher, pupils[-1], "registered_on")
    tell("school", f"another pupil missed {alert['unexcused_days']} days and is registered")
    listed = [_event(child, day, "present", sequence=2) for day in days[1:5] for child in pupils]
    taken = Counter(result["status"] for result in _pushed(gate, *listed))
    tell("school", f"the lists of four of these days come in late: {dict(taken)}")
    doubted = _alert(teacher, pupils[-1], "doubt")
    tell(
        "school",
        f"no register changes back unseen: state {doubted['state']}, doubt {doubted['doubt']};"
        " a person of the school decides",
    )
    _look(
        f"/v1/dropout-alerts/{alert['id']}",
        ("school", "the teacher", teacher),
        ("education", "the bureau", bureau),
        ("phone", "the village director", director),
        ("township", "the township", township),
        ("township", "another district", other),
    )


def boarder(base: str, data_dir: Path) -> None:
    """Enrol a boarder whose family lives in another district: a pupil like any other."""
    cast = Cast.read(data_dir)
    registrar = api.machine(base, data_dir, "other_district", "registration")
    gate = api.machine(base, data_dir, "school_system", "education")
    teacher = api.person(base, data_dir, "teacher", "education")
    other = api.machine(base, data_dir, "other_district", "education")
    county = api.machine(base, data_dir, "county", "care")
    home = next(one for one in other.items("/v1/children"))["residence"]["region_code"]
    since = last_school_days(local_date(utc_now()), 20)[0].isoformat()
    education = {
        "school_id": cast.machines["school_system"].agency_id,
        "status": "enrolled",
        "stage": "primary",
        "class_name": CLASS,
        "boarding": True,
        "since": since,
    }
    opened = registrar.call(
        "POST",
        "/v1/children",
        {
            "id": str(new_id()),
            "identity": {
                "name": "样小寄",
                "sex": "male",
                "birth_date": "2015-05-05",
                "ethnic_group": "01",
                "no_resident_id_reason": "not_issued",
            },
            "residence": {"region_code": home},
            "education": education,
        },
    ).json()["id"]
    tell("township", "Wuqing opens the file of a boarder: its school is in Jizhou")
    _look(
        f"/v1/children/{opened}",
        ("school", "the school's system", gate),
        ("township", "the school's own district", county),
        ("township", "the district of the family", other),
    )
    days = last_school_days(local_date(utc_now()), 6)
    _pushed(gate, *(_event(opened, day, "unexcused") for day in days))
    alert = _alert(teacher, opened, "state")
    tell("school", f"six days missed: {alert['state']}")
    bureau = api.machine(base, data_dir, "education", "education")
    _look(
        f"/v1/dropout-alerts/{alert['id']}",
        ("school", "the teacher", teacher),
        ("education", "the education bureau of the school", bureau),
        ("township", "the district of the family", other),
    )


def _report(**said: Any) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "situations": ["domestic_violence"],
        "urgency": "immediate",
        "found_at": utc_now().isoformat(),
        "narrative": "演示:疑似受到伤害。Demo: harm is suspected.",
        **said,
    }


def _of_a_report(base: str, data_dir: Path) -> list[tuple[str, str, api.Api]]:
    """Return the offices that a report may concern."""
    return [
        ("school", "who reported", api.person(base, data_dir, "teacher", "protection")),
        ("police", "the police system", api.machine(base, data_dir, "police", "protection")),
        ("phone", "the director", api.person(base, data_dir, "village_director", "protection")),
        (
            "township",
            "the township",
            api.person(base, data_dir, "township_supervisor", "protection"),
        ),
        ("township", "the county", api.machine(base, data_dir, "county", "protection")),
        (
            "township",
            "another district",
            api.machine(base, data_dir, "other_district", "protection"),
        ),
    ]


def own_director(base: str, data_dir: Path) -> None:
    """Report the village committee as a teacher; the answer is lost, and it is sent again."""
    cast = Cast.read(data_dir)
    teacher = api.person(base, data_dir, "teacher", "protection")
    director = api.person(base, data_dir, "village_director", "protection")
    police = api.machine(base, data_dir, "police", "protection")
    village = cast.people["village_director"]
    body = _report(
        subject={"sex": "female", "approximate_age": 10, "place": "村委会旁"},
        region_code=village.region_code,
        suspect_agency_id=village.agency_id,
    )
    first = teacher.call("POST", "/v1/police-reports", body).status_code
    again = teacher.call("POST", "/v1/police-reports", body).status_code
    tell("school", f"the teacher reports the village committee: {first}; sent again: {again}")
    township = api.person(base, data_dir, "township_supervisor", "protection")
    _look(
        f"/v1/police-reports/{body['id']}",
        ("school", "who reported", teacher),
        ("police", "the police system", police),
        ("township", "the township", township),
        ("phone", "the director it speaks against", director),
    )


def unknown_child(base: str, data_dir: Path) -> None:
    """Report a child nobody knows; the township does, later, and attaches its file."""
    teacher = api.person(base, data_dir, "teacher", "protection")
    township = api.person(base, data_dir, "township_supervisor", "protection")
    body = _report(
        subject={"sex": "male", "approximate_age": 8, "place": "集市"},
        region_code=Cast.read(data_dir).people["village_director"].region_code,
    )
    teacher.call("POST", "/v1/police-reports", body)
    path = f"/v1/police-reports/{body['id']}"
    tell("school", f"a child nobody knows: file {township.get(path)['child_id']}")
    offices = _of_a_report(base, data_dir)
    _look(path, *offices)
    child = next(one["id"] for one in township.items("/v1/children"))
    known = {
        "identified_at": utc_now().isoformat(),
        "child_id": child,
        "basis": "村里认得这个孩子。",
    }
    township.call("POST", f"{path}/child", known)
    report = township.get(path)
    same = report["child_id"] == child
    tell("township", f"knows it, and attaches the file: {same}; the first words are kept:")
    tell(
        "township", f"  {report['subject']['approximate_age']} years, {report['subject']['place']}"
    )
    _look(path, *offices)


def old_code(base: str, data_dir: Path) -> None:
    """Fill in a form printed in 2015, which names 蓟县."""
    county = api.machine(base, data_dir, "county", "care")
    teacher = api.person(base, data_dir, "teacher", "protection")
    counted = [
        sum(1 for _ in county.items(f"/v1/children?region_code={code}"))
        for code in (BEFORE_2016, "120119000000")
    ]
    tell("township", f"children by the code of 2015 and by today's: {counted[0]}, {counted[1]}")
    body = _report(subject={"sex": "unknown", "place": "渔阳镇"}, region_code=BEFORE_2016)
    filed = teacher.call("POST", "/v1/police-reports", body)
    report = teacher.get(f"/v1/police-reports/{body['id']}")
    tell(
        "school",
        f"a report of 蓟县 {BEFORE_2016}: {filed.status_code}, lies in {report['region_code']},"
        f" {report['routing']}",
    )
    _look(f"/v1/police-reports/{body['id']}", *_of_a_report(base, data_dir))


PARTS = {
    part.__name__: part
    for part in (move, late_list, boarder, own_director, unknown_child, old_code)
}

if __name__ == "__main__":
    PARTS[sys.argv[3]](sys.argv[1], Path(sys.argv[2]))
