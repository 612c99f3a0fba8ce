"""What a school says under the source and id of something else it said: the first counts, and what
differs is kept beside it, for somebody to look at (EDU-01).
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.attendance.events import AttendanceContradicted
from app.attendance.schemas import Roll, Statement
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events
from app.regions.rules import county_of

MOST: Final = 20
"""How many are shown beside one event. All are kept: a system may number its events anew."""

_SEALED: Final = "attendance_contradictions.said_sealed"
_KEEP: Final = """
INSERT INTO attendance_contradictions
    (id, source, event_id, content_sha256, said_sealed, agency_id, batch_id, received_at)
SELECT u.*, $6::uuid, $7::uuid, $8::timestamptz
FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
    AS u (id, source, event_id, content, said)
ON CONFLICT DO NOTHING RETURNING id
"""
_KEPT: Final = """
SELECT c.id, c.agency_id, c.source, c.event_id, c.said_sealed
FROM UNNEST($1::uuid[], $2::text[], $3::text[]) AS u (agency_id, source, event_id)
CROSS JOIN LATERAL (
    SELECT * FROM attendance_contradictions c WHERE c.agency_id = u.agency_id
        AND c.source = u.source AND c.event_id = u.event_id ORDER BY c.id LIMIT $4
) AS c ORDER BY c.id
"""


async def keep(
    tx: Tx, principal: Principal, batch_id: UUID, said: Sequence[Statement | Roll]
) -> None:
    """Keep what contradicts, each once, and tell how much of it is new. None, or one statement and
    the event.
    """
    rows = {}
    for each in said:
        row_id, sent = new_id(), each.model_dump_json().encode()
        sealed = tx.keyring.seal(_SEALED, row_id, sent)
        content = sha256(sent).digest()
        rows[each.source, each.id, content] = (row_id, each.source, each.id, content, sealed)
    if not rows:
        return
    columns = [list(column) for column in zip(*(rows[key] for key in sorted(rows)), strict=True)]
    batch = (principal.agency_id, batch_id, tx.now)
    kept = await tx.connection.fetch(_KEEP, *columns, *batch)
    if kept:
        told = AttendanceContradicted(
            subject_id=batch_id,
            region_code=principal.region_code,
            home_county=county_of(principal.region_code),
            school_id=principal.agency_id,
            contradicted=len(kept),
        )
        await events.publish(tx, told)


Named = tuple[UUID, str, str]
"""Which event: the agency's id, the source and the event's id."""


async def beside(tx: Tx, named: Sequence[Named]) -> dict[Named, list[Any]]:
    """Return what is kept beside events, oldest first, as it was read, to the agency that sent it:
    it may be about another child. One statement, or none.
    """
    found: dict[Named, list[Any]] = {each: [] for each in named}
    if not named:
        return found
    columns = [list(column) for column in zip(*named, strict=True)]
    rows = await tx.connection.fetch(_KEPT, *columns, MOST)
    for row in rows:
        said = orjson.loads(tx.keyring.unseal(_SEALED, row["id"], row["said_sealed"]))
        found[row["agency_id"], row["source"], row["event_id"]].append(said)
    return found
