"""Recording and correcting visits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import rows
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events
from app.core.problems import Problem
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import holding
from app.unresolved.operations.holding import Kept
from app.visits import queries, rules, schemas
from app.visits.acts import ACTS, FindingStays
from app.visits.area import WRITE
from app.visits.events import AbnormalFinding, VisitCorrected, VisitRecorded, VisitTakenBack


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


async def record_visit(tx: Tx, principal: Principal, new: schemas.VisitCreate) -> Recorded:
    """Store a visit and announce it; or keep it, if its child is nobody's whom the caller sees or
    saw on that day, and nobody in charge said whom the id means. If somebody did and the child is
    out of sight, the answer tells what was sent and nothing of the file.

    The same visit sent again is answered with what is stored. Raises VisitDiffers, TooManyUnplaced.
    """
    values, piece = _values(tx, new, principal), as_piece(new)
    put = await rows.put(
        tx,
        principal,
        "visits",
        new.child_id,
        values,
        on=new.visited_on,
        scope=WRITE.code,
        lived_in="visited_in",
        unless=holding.taken(tx, principal, UnresolvedKind.visit, piece),
    )
    if put is not None and put.row is not None:
        row = {**put.row, "birth_date": put.birth_date}
        visit = queries.visit_of(tx, principal, row)
        await _announce(tx, VisitRecorded, visit, put.row, news=visit.abnormal)
        shown = visit if put.seen else queries.as_sent(principal, visit, new.child_id)
        return Recorded(shown, True, visit.child_id)
    before = await _sent_before(tx, principal, new, values)
    if before is not None:
        return before
    held = _hold if put is None else _held_before
    return Recorded(await held(tx, principal, piece), True, new.child_id)


def _values(tx: Tx, new: schemas.VisitCreate, sender: Principal) -> dict[str, Any]:
    return {
        "id": new.id,
        "called": new.child_id,
        "visitor": sender.staff_id,
        "content_mac": _digest(tx, new),
        "recorded_at": new.recorded_at,
        **_stored(tx, new.id, new.model_dump()),
    }


def _digest(tx: Tx, new: schemas.VisitCreate) -> bytes:
    return tx.keyring.blind_index("visit", new.model_dump_json())


def as_piece(new: schemas.VisitCreate) -> holding.Piece:
    sent = new.model_dump_json().encode()
    abnormal = any(finding.abnormal for finding in new.findings)
    claim = {"child_id": new.child_id}
    return holding.Piece(str(new.id), claim, sent, new.visited_on, abnormal=abnormal)


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
    new: schemas.VisitCreate,
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
    for each in (new, new.model_copy(update={"id": otherwise})):
        values = _values(tx, each, sender)
        dated = {**values, "received_at": received_at, "updated_at": received_at}
        put = await rows.put_below(tx, sender, "visits", child.id, dated, lived_in="visited_in")
        if put is None:
            raise LookupError("the child of a held visit has no file")
        if put.row is not None:
            visit = queries.visit_of(tx, sender, {**put.row, "birth_date": put.birth_date})
            await _announce(tx, VisitRecorded, visit, put.row, news=visit.abnormal)
            row: Mapping[str, Any] = {**put.row, "birth_date": put.birth_date}
            for content in corrected:
                said = schemas.VisitContent.model_validate(content).model_dump()
                row, _ = await _change(tx, sender, row, said)
            return
        sent = await rows.sent_before(tx, sender, each.id, table="visits")
        if sent is not None and sent["content_mac"] == values["content_mac"]:
            return  # it came rightly meanwhile


async def _sent_before(
    tx: Tx,
    principal: Principal,
    new: schemas.VisitCreate,
    values: Mapping[str, Any],
) -> Recorded | None:
    """Recognise a visit sent again: as it stands, or as it was sent if its child is out of sight
    by now; None if it was not sent. Raises VisitDiffers.
    """
    row = await rows.find(tx, principal, new.id, table="visits")
    sent = row or await rows.sent_before(tx, principal, new.id, table="visits")
    if sent is None:
        return None
    if sent["content_mac"] != values["content_mac"]:
        raise VisitDiffers
    if row is not None:
        return Recorded(queries.visit_of(tx, principal, row), False, row["child_id"])
    first = {"version": 1, "updated_at": sent["received_at"], "birth_date": None, **values}
    first |= dict.fromkeys(("possibly_same_as", "same_as", "withdrawal_by"))
    first |= {"withdrawal_confirmed_by": None}
    findings = orjson.loads(values["findings"])
    visit = queries.visit_of(tx, principal, {**sent, **first, "findings": findings})
    seen = visit.child_id == new.child_id
    shown = visit if seen else queries.as_sent(principal, visit, new.child_id)
    return Recorded(shown, False, visit.child_id)


async def correct_visit(
    tx: Tx,
    principal: Principal,
    row: Mapping[str, Any],
    correction: schemas.VisitCorrection,
    *,
    if_match: int,
) -> schemas.Visit:
    """Change a locked visit (`queries.to_correct`) and keep what it said before. Whoever made it
    and does not see the child is answered with what they said. Raises PreconditionFailed;
    FindingStays if an abnormal finding would be gone.
    """
    check_version(row["version"], if_match)
    changes = correction.changes()
    if rules.takes_away(row["findings"], changes.get("findings", row["findings"])):
        raise FindingStays
    if row["seen"]:
        return (await _change(tx, principal, row, changes))[1]
    async with tx.as_system():
        _, visit = await _change(tx, principal, row, changes)
        return await queries.as_made(tx, principal, visit, row, changes)


_PROPOSE: Final = """
UPDATE visits SET withdrawal_by = $3, withdrawal_at = $4, withdrawal_sealed = $5,
    withdrawal_confirmed_by = NULL, version = version + 1, updated_at = $4
WHERE home_county = $1 AND id = $2 RETURNING *
"""


async def propose_withdrawal(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.WithdrawalProposed,
    *,
    if_match: int,
) -> schemas.Visit:
    """Propose that an abnormal finding of a locked visit was none. It stays until a second person
    confirms. Raises PreconditionFailed, NotYourVisit, PersonRequired, NothingAbnormal.
    """
    check_version(row["version"], if_match)
    ACTS["proposeWithdrawal"].require(principal, row, tx.today)
    sealed = tx.keyring.seal(queries.WITHDRAWAL, row["id"], orjson.dumps(said.model_dump()))
    place = (row["home_county"], row["id"])
    changed = await tx.connection.fetchrow(_PROPOSE, *place, principal.subject, tx.now, sealed)
    return queries.visit_of(tx, principal, {**changed, "birth_date": row["birth_date"]})


async def confirm_withdrawal(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> schemas.Visit:
    """Let what was proposed be true; what the visit said before is kept. Raises PreconditionFailed,
    NotYoursToConfirm, PersonRequired, NothingProposed, SecondPersonConfirms.
    """
    check_version(row["version"], if_match)
    ACTS["confirmWithdrawal"].require(principal, row, tx.today)
    findings = queries.withdrawal(tx, row)["findings"]
    confirmed = {"withdrawal_confirmed_by": principal.subject}
    _, visit = await _change(tx, principal, row, {"findings": findings}, **confirmed)
    return visit


async def _change(
    tx: Tx, principal: Principal, row: Mapping[str, Any], changes: Mapping[str, Any], **columns: Any
) -> tuple[Mapping[str, Any], schemas.Visit]:
    before = queries.visit_of(tx, principal, row)
    merged = {**before.model_dump(), **changes}
    values = {**_stored(tx, row["id"], merged), **columns}
    if not columns and row["withdrawal_confirmed_by"] is None:
        values |= dict.fromkeys(("withdrawal_by", "withdrawal_at", "withdrawal_sealed"))
    said = before.model_dump_json(include=_CONTENT)
    changed = await rows.correct(tx, principal, "visits", row, said, values)
    now = {**changed, "birth_date": row["birth_date"]}
    visit = queries.visit_of(tx, principal, now)
    news = visit.abnormal and not before.abnormal
    await _announce(tx, VisitCorrected, visit, row, news=news)
    return now, visit


_CONTENT: Final = {*schemas.VisitContent.model_fields}
_PLACED: Final = """
SELECT v.*, NULL::date AS birth_date FROM visits v
WHERE child_id = $1 AND agency_id = $2
  AND (id = ANY ($3::uuid[]) OR called IS NULL
       OR (called = ANY ($4::uuid[]) AND called <> child_id))
ORDER BY received_at, id FOR UPDATE
"""
_KEPT: Final = """
SELECT version, snapshot_sealed FROM visit_versions WHERE home_county = $1 AND visit_id = $2
"""
_FORGET: Final = "DELETE FROM visit_versions WHERE home_county = $1 AND visit_id = ANY ($2::uuid[])"
_GONE: Final = """
WITH gone AS (DELETE FROM visits WHERE home_county = $1 AND id = ANY ($2::uuid[]) RETURNING id)
UPDATE visits v SET possibly_same_as = NULL, same_as = NULL
WHERE v.child_id = $3 AND v.home_county = $1 AND v.id <> ALL ($2::uuid[])
  AND (v.possibly_same_as = ANY ($2::uuid[]) OR v.same_as = ANY ($2::uuid[]))
RETURNING v.id
"""


class Placed(NamedTuple):
    """A visit taken back: its id, what was sent first, what it was corrected to, when it came, and
    whether it ever held an abnormal finding.
    """

    id: UUID
    first: schemas.VisitCreate
    corrected: list[Any]
    received_at: datetime
    abnormal: bool


async def take_back(
    tx: Tx,
    sender: Principal,
    child_id: UUID,
    ids: Sequence[UUID],
    called: Sequence[UUID],
) -> tuple[list[Placed], list[UUID]]:
    """Take visits away from a child who was not visited, by their ids and by the names their agency
    called the child by; announce it, and return them, with the ids of all visits that were compared
    with these. What a visit called its child before that was kept is told by the digest of what was
    sent. In SYSTEM's reach.
    """
    placed, found = [], []
    for row in await tx.connection.fetch(_PLACED, child_id, sender.agency_id, ids, called):
        now = queries.visit_of(tx, sender, row).model_dump_json(include=_CONTENT)
        kept = await tx.connection.fetch(_KEPT, row["home_county"], row["id"])
        before = {each["version"]: rows.unsealed(tx, "visits", row["id"], each) for each in kept}
        contents = [orjson.loads(before[each]) for each in sorted(before)] + [orjson.loads(now)]
        sent = {name: contents[0][name] for name in schemas.VisitCreate.model_fields}
        first = schemas.VisitCreate.model_validate({**sent, "child_id": row["called"] or child_id})
        if row["called"] is None:
            named = (first.model_copy(update={"child_id": name}) for name in called)
            said = [each for each in named if _digest(tx, each) == row["content_mac"]]
            if not said and row["id"] not in ids:
                continue
            first = said[0] if said else first
        found.append(row)
        wrong = any(one["abnormal"] for content in contents for one in content["findings"])
        placed.append(Placed(row["id"], first, contents[1:], row["received_at"], wrong))
    if not found:
        return [], []
    gone = [row["id"] for row in found]
    await tx.connection.execute(_FORGET, found[0]["home_county"], gone)
    others = await tx.connection.fetch(_GONE, found[0]["home_county"], gone, child_id)
    about = [{**rows.announced(row), "visited_on": row["visited_on"]} for row in found]
    await events.publish(tx, *(VisitTakenBack(**each) for each in about))
    return placed, [*gone, *(row["id"] for row in others)]


_PLAIN: Final = (
    *("visited_on", "started_at", "visitor_type", "place", "channel", "guardian_present"),
    "policies_explained",
)


def _stored(tx: Tx, visit_id: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of what a visit says, its words sealed apart from its codes."""
    codes = [{**finding} for finding in said["findings"]]
    words = {"note": said["note"], "findings": [finding.pop("note") for finding in codes]}
    sealed = None
    if words["note"] is not None or any(words["findings"]):
        sealed = tx.keyring.seal(queries.WORDS, visit_id, orjson.dumps(words))
    return {
        **{name: said[name] for name in _PLAIN},
        "abnormal": any(finding["abnormal"] for finding in codes),
        "findings": orjson.dumps(codes).decode(),
        "words_sealed": sealed,
    }


async def _announce(
    tx: Tx,
    kind: type[VisitRecorded | VisitCorrected],
    visit: schemas.Visit,
    row: Mapping[str, Any],
    *,
    news: bool,
) -> None:
    about = {**rows.announced(row), "visited_on": visit.visited_on}
    announced: list[events.Event] = [
        kind(
            **about, visitor_type=visit.visitor_type, channel=visit.channel, abnormal=visit.abnormal
        )
    ]
    if news:
        abnormal = [finding for finding in visit.findings if finding.abnormal]
        announced.append(
            AbnormalFinding(
                **about,
                types=sorted({str(finding.type) for finding in abnormal}),
                refer_to=sorted({str(to) for finding in abnormal for to in finding.refer_to}),
            )
        )
    await events.publish(tx, *announced)
