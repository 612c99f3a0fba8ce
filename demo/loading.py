"""Open the register's 1,236 files through the API, as a city's own system would."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import track

from app.core.ids import new_id
from demo import api
from demo.cast import STUDENT_NUMBERS, Cast
from demo.register import SyntheticChild
from demo.telling import out

AT_ONCE = 6
_KINDS = {"one_away_other_incapable": "parent"}
_GROUNDS = {
    evaluation: dict.fromkeys(("performance", "life", "education", "health"), degree)
    for evaluation, degree in (("good", "well"), ("fair", "basic"), ("poor", "not"))
}


def load(base: str, data_dir: Path, children: Sequence[SyntheticChild], *, village: int) -> int:
    """Create every file; returns how many there are. Pupils of the village go to the school."""
    school = Cast.read(data_dir).machines["school_system"].agency_id
    sessions = [api.machine(base, data_dir, "city", "registration") for _ in range(AT_ONCE)]
    parts = [children[start::AT_ONCE] for start in range(AT_ONCE)]
    known: dict[int, str] = {}

    def create(session: api.Api, part: Sequence[SyntheticChild]) -> None:
        for child in part:
            body = _body(child, school if child.village == village else None)
            answer = session.call("POST", "/v1/children", {"id": str(new_id()), **body})
            known[child.seq] = answer.json()["id"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(create, *pair) for pair in zip(sessions, parts, strict=True)]
        for one in track(running, "  opening files", console=out, transient=True):
            one.result()
    (data_dir / "register.json").write_text(json.dumps(known))
    return len(known)


def _body(child: SyntheticChild, school: str | None) -> dict[str, Any]:
    at_school = child.schooling not in {"not_in_kindergarten", "kindergarten"}
    status = "dropout" if child.dropout else "enrolled" if at_school else "not_in_school"
    return {
        "identity": {
            "name": child.name,
            "sex": child.sex,
            "birth_date": child.birth_date.isoformat(),
            "ethnic_group": child.ethnic_group,
            "resident_id": child.resident_id,
            "no_resident_id_reason": None if child.resident_id else "not_issued",
        },
        "hukou": {
            "registered": child.hukou.registered,
            "type": child.hukou.type,
            "region_code": None if child.hukou.place is None else f"{child.hukou.place:012d}",
        },
        "residence": {"region_code": f"{child.village:012d}"},
        "family": {
            "parents": [
                {
                    "role": parent.role,
                    "statuses": [{"status": parent.status, "since": parent.since.isoformat()}],
                    "guardianship_capacity": "full" if parent.guardianship_capacity else "none",
                    "incapacity_reason": parent.incapacity_reason,
                }
                for parent in child.parents
            ]
        },
        "guardianship": {
            "kind": _KINDS.get(child.guardianship, child.guardianship),
            "evaluation": child.guardian_eval,
            "evaluated_by": child.guardian_eval and "社区评估人员",
            "evaluation_grounds": child.guardian_eval and _GROUNDS[child.guardian_eval],
        },
        "education": {
            "school_id": school if at_school and not child.dropout else None,
            "stage": child.schooling,
            "status": status,
            "student_numbers": [{"system": STUDENT_NUMBERS, "number": f"DEMO-{child.seq:04d}"}],
        },
        "welfare": {"income_sources": [child.income_source]},
    }
