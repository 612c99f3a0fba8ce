"""Keep what a school pushes about nobody it has, until it is known which pupil that is."""

from collections.abc import Sequence
from uuid import UUID

from app.access.principal import Principal
from app.attendance.schemas import Statement, StudentById
from app.core.data.db import Tx
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import holding
from app.unresolved.operations.holding import Kept


async def hold(
    tx: Tx, principal: Principal, batch_id: UUID, events: Sequence[Statement]
) -> dict[tuple[str, str], Kept]:
    """Keep events; return by (source, id) what became of each. Statements: see `holding.hold`."""
    first: dict[tuple[str, str], Statement] = {}
    for event in events:
        first.setdefault((event.source, event.id), event)
    if not first:
        return {}
    pieces = []
    for origin, event in first.items():
        student = event.student.model_dump(mode="json")
        claim = student if isinstance(event.student, StudentById) else {"student": student}
        sent = event.model_dump_json().encode()
        pieces.append(holding.Piece(" ".join(origin), claim, sent, event.school_day, batch_id))
    held = await holding.hold_as_then(tx, principal, UnresolvedKind.attendance, pieces)
    return {origin: held[" ".join(origin)].kept for origin in first}
