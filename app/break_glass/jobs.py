"""When the minutes are over, that is told and recorded."""

from typing import Any
from uuid import UUID

from app.audit import operations as audit
from app.break_glass import operations
from app.children.events import ChildLeft
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.core.jobs import events, queue


@queue.job(operations.SHUT)
async def shut(tx: Tx, payload: dict[str, Any]) -> None:
    """Record the end of what nobody ended before: it has a row of its own, as each read has."""
    glass_id = UUID(payload["id"])
    row = await operations.shut(tx, payload["home_county"], glass_id)
    if row is not None:
        seen = Seen((row["child_id"],), ("break_glass",), glass_id)
        await audit.record(tx, audit.SYSTEM, "endBreakGlass", seen)


@events.on(ChildLeft)
async def stay(tx: Tx, event: ChildLeft) -> None:
    """Let who owes a review have it, also when the file is restricted meanwhile."""
    await operations.stay(tx, event.subject_id, event.home_county, event.region_code)
