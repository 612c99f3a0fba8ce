"""Keep what a school pushes about nobody it has, until it is known which pupil that is."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.attendance.dress import says_more
from app.attendance.schemas import Statement, StudentById
from app.core.data.db import Tx
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import holding, knowing
from app.unresolved.operations.holding import Kept, Piece

_KIND: Final = UnresolvedKind.attendance
Origin = tuple[str, str]
"""What names an event for good: its source and its id."""


async def hold(
    tx: Tx,
    principal: Principal,
    batch_id: UUID,
    events: Sequence[Statement],
    *,
    taken: Collection[Origin],
) -> list[Kept]:
    """Keep events; return what became of each, in their order. What says something else than is
    kept or, of those `taken`, stored under its source and id is kept as well, beside it, under a
    reference that its content makes: `differs`. Statements: one, and see `holding.hold`.
    """
    kept = await holding.contents(tx, principal, _KIND, {_ref(event) for event in events})
    pieces = []
    for event in events:
        piece = _piece(event, batch_id)
        said = knowing.digests(tx, _KIND, piece)
        if (event.source, event.id) not in taken:
            kept.setdefault(piece.sender_ref, said[0])
        if kept.get(piece.sender_ref) not in said:
            beside = f"{piece.sender_ref} {sha256(piece.sent).hexdigest()[:16]}"
            piece = replace(piece, sender_ref=beside)
        pieces.append(piece)
    once = {piece.sender_ref: piece for piece in pieces}
    held = await holding.hold_as_then(tx, principal, _KIND, [*once.values()])
    return [
        _outcome(event, held[piece.sender_ref].kept, piece)
        for event, piece in zip(events, pieces, strict=True)
    ]


def _outcome(event: Statement, kept: Kept, piece: Piece) -> Kept:
    if kept is Kept.held:
        return kept if piece.sender_ref == _ref(event) else Kept.differs
    return Kept.full  # or somebody took its reference at this moment: it must be sent again


async def differing(tx: Tx, principal: Principal, events: Sequence[Statement]) -> list[bool]:
    """Tell of each event whether something else is kept under its source and id. One statement."""
    if not events:
        return []
    kept = await holding.contents(tx, principal, _KIND, {_ref(event) for event in events})
    return [
        _ref(event) in kept
        and kept[_ref(event)] not in knowing.digests(tx, _KIND, _piece(event, None))
        for event in events
    ]


def _ref(event: Statement) -> str:
    return f"{event.source} {event.id}"


def _piece(event: Statement, batch_id: UUID | None) -> Piece:
    student = event.student.model_dump(mode="json")
    claim = student if isinstance(event.student, StudentById) else {"student": student}
    more = says_more(event.as_sent) or None
    known_by = _json(event.model_copy(update={"as_sent": more}))
    sent = _json(event)
    return Piece(_ref(event), claim, sent, event.school_day, batch_id, known_by=known_by)


def _json(event: Statement) -> bytes:
    whole = None if event.as_sent else {"as_sent"}  # as it was kept before there was any
    return event.model_dump_json(exclude=whole).encode()
