"""Write the audit row in the transaction that showed or changed the data (AUD-1)."""

from functools import partial
from typing import NamedTuple
from uuid import UUID

from app.core.data.db import Tx
from app.core.data.recording import can_write
from app.core.http.shown import Seen
from app.core.ids import new_id


class Actor(NamedTuple):
    """Who acted, from where and why, in the order of the audit row."""

    subject: str
    client_id: UUID | None
    agency_id: UUID | None
    role: str
    region_code: int | None
    purpose: str | None
    request_id: str
    ip: str | None


SYSTEM = Actor("system", None, None, "system", None, "duty", "job", None)
"""Jobs, which act by rule and not for a person."""

_INSERT = """
WITH whose AS (
    INSERT INTO audit_children (entry_id, child_ids)
    SELECT $1, $12 WHERE cardinality($12::uuid[]) > 0
)
INSERT INTO audit_entries (id, at, actor, client_id, agency_id, role, region_code, purpose,
    request_id, ip, operation, child_ids, subject_id, beside_ids, field_groups, since, decision,
    rule, sought)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""


async def record(tx: Tx, actor: Actor, operation: str, seen: Seen) -> None:
    """Record one read, write or denial. `operation` is the operationId. Raises RecordAway."""
    await tx.recording.kept(tx, partial(_insert, actor=actor, operation=operation, seen=seen))


async def can_record(tx: Tx) -> bool:
    """Tell whether a row can be written at this moment, with whom it is about; none is."""
    somebody = Seen(children=(new_id(),))
    return await can_write(tx, partial(_insert, actor=SYSTEM, operation="-", seen=somebody))


async def _insert(tx: Tx, *, actor: Actor, operation: str, seen: Seen) -> None:
    await tx.connection.execute(
        _INSERT,
        new_id(),
        tx.now,
        *actor,
        operation,
        seen.children,
        seen.subject,
        seen.beside,
        seen.groups,
        seen.since,
        seen.decision,
        seen.rule,
        seen.sought,
    )
