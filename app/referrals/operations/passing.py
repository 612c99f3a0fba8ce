"""What an office was referred goes to the office that goes on in its place."""

from typing import Final
from uuid import UUID

from app.core.data.db import Tx

# What came of a report to the police is passed to nobody who was not told of it (AZ-8).
_HANDED_ON: Final = """
UPDATE referrals r
SET to_id = CASE r.to_id WHEN $1 THEN $2 ELSE r.to_id END,
    from_id = CASE r.from_id WHEN $1 THEN $2 ELSE r.from_id END,
    version = r.version + 1
WHERE (r.to_id = $1 OR r.from_id = $1) AND r.state IN ('open', 'accepted')
  AND (r.told_to IS NULL OR $2 = ANY (r.told_to))
RETURNING r.id
"""


async def pass_on(tx: Tx, agency_id: UUID, successor_id: UUID) -> list[UUID]:
    """Let a successor answer what an agency was referred, and be answered what it referred; return
    which.
    """
    async with tx.as_system():
        rows = await tx.connection.fetch(_HANDED_ON, agency_id, successor_id)
    return [row["id"] for row in rows]
