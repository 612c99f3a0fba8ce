"""Recording visits, also those that waited until it was known whom they are about."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from app.access.principal import Principal
from app.children import rows
from app.children.queries import ChildRef
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.problems import Problem
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import holding, knowing
from app.unresolved.operations.holding import Kept
from app.visits import queries, schemas
from app.visits.area import WRITE
from app.visits.events import VisitRecorded
from app.visits.operations import again
from app.visits.operations.storing import (
    NAMED,
    announce,
    as_piece,
    change,
    columns_of,
    digests,
    has_words,
    understood_as,
)
from app.visits.schemas.recording import NO_ID, VisitCreate


class VisitDiffers(Problem, status=409):
    """The id is taken by a visit that says something else."""

    title = "This id belongs to a visit with other content; correct that one, or use a new id"
    title_zh = "该编号已用于内容不同的走访记录;请更正原记录或使用新编号"


class TooManyUnplaced(Problem, status=429):
    """So many visits of the agency wait for a child that no more are kept. Not one of them is
    lost: this one is still on the device.
    """

    title = "Too many visits of your agency name unknown children; settle some, then send it again"
    title_zh = "贵单位无法归属的走访记录过多;请先处理一部分再重新发送"


class Recorded(NamedTuple):
    """What became of a visit: it, or the id of the question it waits for; whether it is new; and
    whom it is about, as far as that is known.
    """

    answer: schemas.Visit | UUID
    is_new: bool
    child_id: UUID


async def record_visit(tx: Tx, principal: Principal, new: VisitCreate) -> Recorded:
    """Store a visit and announce it; or keep it, if its child is nobody's whom the caller sees or
    saw on that day, and nobody in charge said whom the id means. If somebody did and the child is
    out of sight, the answer tells what was sent and nothing of the file.

    The same visit sent again, in whatever dress, is answered with what is stored; what its sender
    says otherwise in fields nobody knows is kept beside it. Under an id that is in use by another
    agency's visit, or by one to another child, it is kept under an id of ours, the same each time.
    Raises VisitDiffers, TooManyUnplaced.
    """
    if NO_ID in new.unread:  # another agency's that says the same is not this one
        new = new.known_as(await _own_id(tx, principal, new))
    try:
        return await _record(tx, principal, new)
    except VisitDiffers:
        if await _corrects(tx, principal, new):
            raise
    return await _record(tx, principal, new.known_as(await _own_id(tx, principal, new)))


async def _own_id(tx: Tx, principal: Principal, new: VisitCreate) -> UUID:
    """Return the id of ours that a visit has if it was sent before, from whatever post, else the
    one that it gets.
    """
    now, *then = [
        uuid5(agency, f"visit {new.id} to {new.child_id}") for agency in principal.agencies
    ]
    for own in then:
        if await rows.sent_before(tx, principal, own, table="visits") is not None:
            return own
    return now


_WAITS: Final = """
SELECT EXISTS (
    SELECT FROM unresolved_evidence e JOIN unresolved u ON u.id = e.unresolved_id
    WHERE e.agency_id = ANY ($1) AND e.kind = $2 AND e.sender_ref = $3
      AND $4 IN (u.claim, u.first_claim))
"""


async def _corrects(tx: Tx, principal: Principal, new: VisitCreate) -> bool:
    """Tell whether the id is one that the caller gave to a visit to the same child."""
    sent = await rows.sent_before(tx, principal, new.id, table="visits")
    if sent is not None and new.child_id in {sent["child_id"], sent["called"]}:
        return True
    async with tx.as_system():
        waits: bool = await tx.connection.fetchval(
            _WAITS,
            principal.agencies,
            UnresolvedKind.visit,
            str(new.id),
            knowing.claim_index(tx, {"child_id": new.child_id}),
        )
    return waits


_NO_DAY: Final = date(2199, 12, 31)
"""One that cannot be: of it whoever ever looked after the child may tell."""


async def _record(tx: Tx, principal: Principal, new: VisitCreate) -> Recorded:
    of = of_child(new.child_id)
    if has_words(new.model_dump(), new.unread):
        of = await rows.keyed(tx, principal, new.child_id)
    values, piece = columns_of(tx, new, principal, tx.now, of), as_piece(new, tx.now)
    put = await rows.put(
        tx,
        principal,
        "visits",
        new.child_id,
        values,
        on=new.visited_on or _NO_DAY,
        scope=WRITE.code,
        lived_in="visited_in",
        unless=holding.taken(tx, principal, UnresolvedKind.visit, piece),
    )
    if put is not None and put.row is not None:
        row = {**put.row, "birth_date": put.birth_date}
        visit = queries.visit_of(tx, principal, row)
        await announce(tx, VisitRecorded, visit, put.row, news=visit.abnormal)
        shown = visit if put.seen else queries.as_sent(principal, visit, new.child_id)
        return Recorded(shown, True, visit.child_id)
    before = await _sent_before(tx, principal, new, values)
    if before is not None:
        return before
    held = _hold if put is None else _held_before
    try:
        return Recorded(await held(tx, principal, piece), True, new.child_id)
    except VisitDiffers:
        if (question := await again.waiting(tx, principal, new)) is None:
            raise
        return Recorded(question, True, new.child_id)


async def _held_before(tx: Tx, principal: Principal, piece: holding.Piece) -> UUID:
    """Return the question for which a visit waited whose id is taken: it is stored under another.
    Raises VisitDiffers if the id is another visit's, of which the caller may not know.
    """
    held = await holding.held_before(tx, principal, UnresolvedKind.visit, [piece])
    before = held.get(piece.sender_ref)
    if before is None or before.kept is Kept.differs:
        raise VisitDiffers
    return before.unresolved_id


async def _hold(tx: Tx, principal: Principal, piece: holding.Piece) -> UUID:
    found = await holding.hold_as_then(tx, principal, UnresolvedKind.visit, [piece])
    held = found[piece.sender_ref]
    if held.kept is Kept.full:
        raise TooManyUnplaced
    if held.kept is Kept.differs:
        raise VisitDiffers
    return held.unresolved_id


async def store_held(
    tx: Tx,
    sender: Principal,
    child: ChildRef,
    new: VisitCreate,
    received_at: datetime,
    otherwise: UUID,
    corrected: Sequence[Any] = (),
) -> None:
    """Store and announce a visit that waited until it was known whom it is about, as if it had come
    rightly: its own id, its sender, when it was received; then with what it was corrected to while
    it was another child's. In SYSTEM's reach.

    If another visit has its id, it is stored under the id `otherwise`: two agencies' phones may
    have made one id, and neither visit is lost.
    """
    of = of_child(child.id)
    await keys.load(tx, [of], child.home_county)
    for each in (new, new.model_copy(update={"id": otherwise})):
        values = columns_of(tx, each, sender, received_at, of)
        dated = {**values, "received_at": received_at, "updated_at": received_at}
        put = await rows.put_below(tx, sender, "visits", child, dated, lived_in="visited_in")
        if put is not None and put.row is not None:
            visit = queries.visit_of(tx, sender, {**put.row, "birth_date": put.birth_date})
            await announce(tx, VisitRecorded, visit, put.row, news=visit.abnormal)
            row: Mapping[str, Any] = {**put.row, "birth_date": put.birth_date}
            for content in corrected:
                said = schemas.VisitContent.model_validate(content).model_dump()
                if said["visited_on"] == row["visited_on"] and not content.get(NAMED):
                    del said["visited_on"]  # a correction of something else says nothing of it
                row, _ = await change(tx, sender, row, said)
            return
        sent = await rows.sent_before(tx, sender, each.id, table="visits")
        if sent is not None and sent["content_mac"] in digests(tx, each):
            return  # it came rightly meanwhile
    raise LookupError("a visit that waited has no child, or no id of its own")


async def _sent_before(
    tx: Tx,
    principal: Principal,
    new: VisitCreate,
    values: Mapping[str, Any],
) -> Recorded | None:
    """Recognise a visit sent again: as it stands, or as it was sent if its child is out of sight
    by now; None if it was not sent. Raises VisitDiffers.
    """
    row: Mapping[str, Any] | None = await rows.find(tx, principal, new.id, table="visits")
    sent = row or await rows.sent_before(tx, principal, new.id, table="visits")
    if sent is None:
        return None
    same = sent["content_mac"] in understood_as(tx, new)
    if not same or new.unread or sent["recorded_at"] != new.recorded_at:
        now = await again.stored(tx, principal, sent, new)
        if now is None:
            raise VisitDiffers
        sent, row = now, row and now
    if row is not None:
        return Recorded(queries.visit_of(tx, principal, row), False, row["child_id"])
    day = new.visited_on or local_date(sent["received_at"])
    first = {"version": 1, "updated_at": sent["received_at"], "birth_date": None, **values}
    first["visited_on"] = day
    first |= dict.fromkeys(("possibly_same_as", "same_as", "withdrawal_by"))
    first |= {"withdrawal_confirmed_by": None}
    visit = queries.visit_of(tx, principal, {**sent, **first, "findings": []})
    seen = visit.child_id == new.child_id
    shown = visit if seen else queries.as_sent(principal, visit, new.child_id)
    return Recorded(shown, False, visit.child_id)
