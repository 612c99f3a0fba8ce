"""Reads of the audit trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.data.db import Tx

_LIST = """
SELECT a.id, a.at, a.actor, a.agency_id, a.role, a.region_code, a.purpose, a.operation, a.child_ids,
       a.subject_id, a.field_groups, a.decision, a.rule, a.request_id
FROM audit_entries a
WHERE (a.agency_id = $1 OR ($2 AND a.region_code >= $3 AND a.region_code < $4))
  AND ($5::uuid IS NULL OR a.child_ids @> ARRAY[$5::uuid])
  AND ($6::text IS NULL OR a.decision = $6)
  AND ($7::timestamptz IS NULL OR (a.at, a.id) < ($7, $8::uuid))
ORDER BY a.at DESC, a.id DESC LIMIT $9
"""


async def entries(
    tx: Tx,
    *,
    agency_id: UUID,
    region: tuple[int, int] | None,
    child_id: UUID | None,
    decision: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Any]:
    """List entries, newest first: those of one agency and, with `region` (half-open range of
    region codes), those of every caller whose remit lies there.
    """
    lo, hi = region or (0, 0)
    rows: list[Any] = await tx.connection.fetch(
        _LIST,
        agency_id,
        region is not None,
        lo,
        hi,
        child_id,
        decision,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )
    return rows
