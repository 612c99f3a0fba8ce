"""What takes two people, approved by a second one, so that it is judged to its end."""

import httpx
import orjson

from app.access.approvals.models import REASON, Approval
from app.access.approvals.trying import Said
from app.access.events import Verdict
from app.core.clock import LATEST
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.access.factories import Caller, a_caller
from tests.matrix.described import Operation


def takes_two(answer: httpx.Response) -> bool:
    """Say whether a request was refused only because one person made it."""
    return answer.status_code == 403 and answer.json()["type"] == "/problems/approval-required"


async def approved(
    database: Database,
    settings: Settings,
    caller: Caller,
    operation: Operation,
    asked: httpx.Request,
) -> str:
    """Keep a request as proposed by its caller, and approved by a colleague in a post like theirs;
    return the approval's id.
    """
    claims = caller.claims
    colleague = await a_caller(
        database, settings, claims["role"], claims["region_code"], agency_id=caller.agency_id
    )
    said = Said(
        operation.id, asked.url.path, orjson.loads(asked.content) if asked.content else None
    )
    approval = new_id()
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            Approval(
                id=approval,
                operation=operation.id,
                scope=operation.scope,
                path=asked.url.path,
                fingerprint=tx.keyring.blind_index("approval", said.text.decode()),
                reason_sealed=tx.keyring.seal(REASON, approval, "合成记录"),
                role=claims["role"],
                proposed_by=caller.subject_id,
                agency_id=caller.agency_id,
                concerns_id=caller.agency_id,
                region_code=claims["region_code"],
                proposed_at=tx.now,
                expires_at=LATEST,
                verdict=Verdict.approved,
                decided_by=colleague.subject_id,
                decided_in=caller.agency_id,
                decided_at=tx.now,
            )
        )
        await tx.flush()
    return str(approval)
