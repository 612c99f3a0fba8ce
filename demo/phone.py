"""The village director's phone: pulls, works offline, sends later, and reports what it saw.

`python -m demo.phone BASE DATA_DIR PART`, a process of its own under the director's own token.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.core.clock import local_date, utc_now
from app.core.ids import new_id
from demo import api
from demo.stage import poll
from demo.telling import tell


def visit(base: str, data_dir: Path) -> None:
    """Visit every child of the village offline; send the visits, one of them twice."""
    phone = api.person(base, data_dir, "village_director", "care")
    due = poll(
        "The quarter's duties", lambda: list(phone.items("/v1/duties?rule=VIS-01&state=open"))
    )
    children = {one["id"]: one for one in phone.items("/v1/children")}
    tell(
        "phone",
        f"signed in (code with PKCE); {len(children)} children in the village,"
        f" {len(due)} visits owed this quarter (VIS-01)",
    )
    worst = next(iter(children))
    yesterday = local_date(utc_now()) - timedelta(days=1)
    visits = [_visit(child, yesterday.isoformat(), abnormal=child == worst) for child in children]
    tell("phone", f"no network; {len(visits)} visits kept on the phone under ids it made itself")
    for one in visits:
        phone.call("POST", "/v1/visits", one)
    again = phone.call("POST", "/v1/visits", visits[-1])
    tell(
        "phone",
        f"network is back: all sent; the last one sent again: {again.status_code}, one visit",
    )

    def discharged() -> bool:
        return not list(phone.items("/v1/duties?rule=VIS-01&state=open"))

    poll("The discharge of the visit duties", discharged)
    followups = list(phone.items("/v1/duties?rule=VIS-03&state=open"))
    tell(
        "phone",
        f"every visit duty is discharged; {len(followups)} follow-up is owed"
        " for the abnormal finding (VIS-03)",
    )
    (data_dir / "reported").write_text(worst)
    (data_dir / "visit").write_text(visits[0]["id"])


def _visit(child_id: str, day: str, *, abnormal: bool) -> dict[str, Any]:
    finding: dict[str, Any] = {"domain": "life", "abnormal": False}
    if abnormal:
        finding = {
            "domain": "safety",
            "abnormal": True,
            "type": "domestic_violence",
            "refer_to": ["police", "township_government"],
            "note": "演示:手臂有淤青。Demo: bruises on the arm.",
        }
    return {
        "id": str(new_id()),
        "child_id": child_id,
        "visited_on": day,
        "visitor_type": "child_director",
        "findings": [finding],
        "policies_explained": ["child_protection"],
        "recorded_at": f"{day}T16:30:00+08:00",
    }


def report(base: str, data_dir: Path) -> None:
    """Make the abnormal finding a report to the police, at the first moment (REP-01)."""
    phone = api.person(base, data_dir, "village_director", "protection")
    body = {
        "id": str(new_id()),
        "child_id": (data_dir / "reported").read_text(),
        "visit_id": (data_dir / "visit").read_text(),
        "situations": ["domestic_violence"],
        "urgency": "immediate",
        "found_at": utc_now().isoformat(),
        "narrative": "演示:走访时发现手臂有淤青。Demo: bruises seen during a visit.",
        "reporter": {"name": "演示报告人", "phone": "+86-22-00000000", "position": "儿童主任"},
    }
    filed = phone.call("POST", "/v1/police-reports", body)
    (data_dir / "report").write_text(filed.json()["id"])
    tell("phone", f"report filed: {filed.status_code}, state {filed.json()['state']} (REP-01)")


if __name__ == "__main__":
    {"visit": visit, "report": report}[sys.argv[3]](sys.argv[1], Path(sys.argv[2]))
