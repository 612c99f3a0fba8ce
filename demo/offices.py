"""The township, the education bureau and the auditor, each under their own token.

`python -m demo.offices BASE DATA_DIR PART`, a process of its own.
"""

import sys
from pathlib import Path
from typing import Any

from app.core.clock import local_date, utc_now
from demo import api
from demo.stage import poll
from demo.telling import tell


def _open_alert(caller: api.Api) -> Any:
    waiting = (one for one in caller.items("/v1/dropout-alerts") if one["state"] != "closed")
    return next((one for one in waiting if one["state"].startswith("written")), None)


def receive_written_report(base: str, data_dir: Path) -> None:
    """Education and township confirm the written report, each its own copy; a measure follows."""
    today = local_date(utc_now()).isoformat()
    bureau = api.machine(base, data_dir, "education", "education")
    township = api.person(base, data_dir, "township_supervisor", "education")
    alert = poll("The written report's arrival", lambda: _open_alert(bureau))
    path = f"/v1/dropout-alerts/{alert['id']}"
    for who, caller in (("education", bureau), ("township", township)):
        tag = caller.call("GET", path).headers["etag"]
        caller.call("POST", f"{path}/written-report/receipt", if_match=tag)
        tell(who, "confirmed the written report: a receipt of its own")
    tag = bureau.call("GET", path).headers["etag"]
    measure = {"kind": "talk_with_guardian", "ordered_on": today}
    bureau.call("POST", f"{path}/measures", measure, if_match=tag)
    tell("education", "ordered a talk with the guardian (EDU-07)")


def follow_up(base: str, data_dir: Path) -> None:
    """Confirm the police notice, assess, and arrange services, as the township (REP-14…16)."""
    township = api.person(base, data_dir, "township_supervisor", "protection")
    report_id = (data_dir / "report").read_text()
    path = f"/v1/police-reports/{report_id}"

    def notified() -> Any:
        state = township.get(path)["state"]
        return state if state == "township_notified" else None

    poll("The police notice", notified)
    now = utc_now().isoformat()
    township.call("POST", f"{path}/township-notice/receipt", {"received_at": now})
    tell("township", "received the police notice and confirmed it (REP-14)")
    assessment = {
        "assessed_at": now,
        "safety": "at_risk",
        "guardianship": "weak",
        "physical_health": "good",
        "mental_health": "fair",
        "participants": ["civil_affairs", "police", "school", "village_committee"],
        "summary": "演示:由祖父母照料,需要指导。Demo: with grandparents, needs guidance.",
    }
    township.call("POST", f"{path}/assessment", assessment)
    services = {
        "arranged_at": now,
        "services": [
            {"kind": kind, "provider": "演示社工站", "started": False}
            for kind in ("guardianship_guidance", "counselling")
        ],
    }
    township.call("POST", f"{path}/services", services)
    tell("township", "assessed the child's situation and arranged counselling (REP-15, REP-16)")


def look_from_outside(base: str, data_dir: Path) -> None:
    """Another district, the education bureau and the auditor see what they may and no more."""
    report_id = (data_dir / "report").read_text()
    child_id = (data_dir / "reported").read_text()
    stranger = api.machine(base, data_dir, "other_district", "supervision")
    refused = stranger.call("GET", f"/v1/children/{child_id}", expect=(404,))
    unknown = stranger.call("GET", f"/v1/children/{report_id}", expect=(404,))
    same = _without_request(refused.json()) == _without_request(unknown.json())
    tell("township", f"another district asks for the child: 404, as for any unknown id: {same}")
    bureau = api.machine(base, data_dir, "education", "education")
    answer = bureau.call("GET", f"/v1/police-reports/{report_id}", expect=(403, 404))
    tell("education", f"asks for the police report: {answer.status_code} {answer.json()['title']}")
    auditor = api.person(base, data_dir, "auditor", "supervision")
    rows = list(auditor.items(f"/v1/audit-entries?child_id={child_id}"))
    who = sorted({f"{row['role']} ({row['purpose']})" for row in rows})
    tell("auditor", f"{len(rows)} audit rows name the reported child: {', '.join(who)}")


def _without_request(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


if __name__ == "__main__":
    {
        "receive_written_report": receive_written_report,
        "follow_up": follow_up,
        "look_from_outside": look_from_outside,
    }[sys.argv[3]](sys.argv[1], Path(sys.argv[2]))
