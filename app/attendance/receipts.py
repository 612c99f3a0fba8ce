"""What a batch is answered, event by event, and kept byte for byte (I4)."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.attendance.models import Doubt
from app.attendance.reading import Incoming
from app.attendance.schemas import LONGEST_NAME, MOST_UNREAD, ResultStatus
from app.core.data.db import Tx
from app.core.problems import FieldError


@dataclass(slots=True)
class Verdict:
    """What becomes of one event."""

    incoming: Incoming
    status: ResultStatus
    code: str
    refusal: FieldError | None = None
    doubt: Doubt | None = None
    spoke_for: int | None = None


def receipt(batch_id: UUID, verdicts: Sequence[Verdict]) -> bytes:
    """Write the answer to a batch (`schemas.BatchReceipt`, JSON)."""
    return orjson.dumps(
        {
            "batch_id": batch_id,
            "results": [
                {
                    "index": index,
                    "source": verdict.incoming.source,
                    "id": verdict.incoming.id,
                    "status": verdict.status,
                    "code": verdict.code,
                    "detail": verdict.refusal.detail if verdict.refusal else None,
                    "pointer": verdict.refusal.pointer if verdict.refusal else None,
                    "doubt": verdict.doubt,
                    "unread": _unread(getattr(verdict.incoming.event, "as_sent", None) or {}),
                    "spoke_for": verdict.spoke_for,
                }
                for index, verdict in enumerate(verdicts)
            ],
        }
    )


def _unread(aside: Mapping[str, Any]) -> list[str]:
    return sorted({name[:LONGEST_NAME] for name in aside})[:MOST_UNREAD]


_QUICKLY: Final = 1
_KEEP_BATCH: Final = """
WITH reported AS (
    INSERT INTO attendance_days (agency_id, school_day, first_reported_at)
    SELECT $2::uuid, day, $5::timestamptz FROM UNNEST($6::date[]) AS day ON CONFLICT DO NOTHING
)
INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)
VALUES ($1, $2, $3, $4, $5)
"""


async def keep(
    tx: Tx, principal: Principal, batch_id: UUID, answer: bytes, days: Iterable[date]
) -> None:
    """Keep what a batch was answered, and on which days the school was heard."""
    heard = sorted(day for day in days if day <= tx.today)
    kept = zlib.compress(answer, _QUICKLY)  # what is accepted is said in the same words each time
    await tx.connection.execute(
        _KEEP_BATCH, batch_id, principal.agency_id, principal.subject, kept, tx.now, heard
    )
