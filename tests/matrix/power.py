"""What waits for a second person around a target, what one did alone, who was checked,
and who is a witness of the audit.
"""

from datetime import date

import orjson

from app.access.approvals.models import BODY, REASON, Approval, Review
from app.agencies.models import Agency
from app.core.clock import LATEST
from app.core.data.db import Tx
from app.hiring_checks.models import HiringCheck
from app.sealing.models import AuditWitness
from app.sealing.notes import WITNESS, VerifierKey
from tests.matrix.facts import Target


def store(tx: Tx, target: Target) -> None:
    """An education authority to be registered, and somebody's time in a post ended by one."""
    of_both = {
        "scope": "agencies:write",
        "subject_id": target.ids["report_id"],
        "role": "civil_affairs",
        "agency_id": target.owner,
        "concerns_id": target.police,
        "region_code": target.region,
    }
    county = f"{target.region // 10**6 * 10**6:012d}"
    body = {"kind": "education", "name": "教育局", "region_code": county}
    approval, review = target.ids["approval_id"], target.ids["review_id"]
    tx.session.add(
        Approval(
            **of_both,
            id=approval,
            operation="createAgency",
            path="/v1/agencies",
            fingerprint=b"-",
            body_sealed=tx.keyring.seal(BODY, approval, orjson.dumps(body)),
            reason_sealed=tx.keyring.seal(REASON, approval, "合成记录"),
            proposed_by=target.ids["staff_id"],
            proposed_at=tx.now,
            expires_at=LATEST,
        )
    )
    tx.session.add(
        Review(
            **of_both,
            id=review,
            operation="leavePost",
            path=f"/v1/posts/{target.ids['post_id']}/holdings/{target.ids['holding_id']}/end",
            done_by=target.ids["staff_id"],
            done_at=tx.now,
            due_at=LATEST,
        )
    )
    held = {"active": False, "created_at": tx.now, "updated_at": tx.now}
    court = Agency(kind="court", name="法院", region_code=target.region, **held)
    tx.session.add(court)
    tx.session.add(
        AuditWitness(
            id=target.ids["witness_id"],
            agency_id=court.id,
            name="witness.example",
            key=str(VerifierKey("witness.example", WITNESS, bytes(32))),
            registered_by="system",
            registered_at=tx.now,
        )
    )
    tx.session.add(
        HiringCheck(
            id=target.ids["check_id"],
            staff_id=target.ids["staff_id"],
            agency_id=target.owner,
            region_code=target.owner_region,
            office_id=target.police,
            asked_on=date(2026, 11, 2),
            created_at=tx.now,
        )
    )
