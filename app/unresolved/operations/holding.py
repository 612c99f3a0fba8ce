"""Keep what was sent and cannot be placed yet. A question is asked once, however often it comes."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from app.access import queries as access
from app.access.principal import Principal, acting_on
from app.core.data import keys
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.policy import queries as policy
from app.regions.rules import BadRegionCode, county_of
from app.unresolved import events, models, queries
from app.unresolved.models import UnresolvedKind, UnresolvedReason
from app.unresolved.operations.knowing import claim_index, digests, renew
from app.unresolved.rules import MOST_WAITING, TOLD_BY, owner_of

settle_within: Final = policy.lookup("unresolved.settle_within_minutes")
settle_abnormal_within: Final = policy.lookup("unresolved.settle_abnormal_within_minutes")
_REASONS: Final = {
    UnresolvedKind.visit: UnresolvedReason.child_unknown,
    UnresolvedKind.attendance: UnresolvedReason.pupil_unknown,
}


class Kept(StrEnum):
    """What became of one thing sent."""

    held = "held"
    """Kept, now or when it was sent before."""
    differs = "differs"
    """Something else is kept under this reference."""
    full = "full"
    """The sender's share of the queue is full: not kept, it must be sent again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that was sent.

    `claim`: `{"child_id": …}` or `{"student": {"system", "number"}}`. `sent`: the JSON of all of
    it. `batch_id`: the batch that brought it. `abnormal`: it holds an abnormal finding. `known_by`:
    the JSON by which it is known again, if that is not all of it.
    """

    sender_ref: str
    claim: Mapping[str, Any]
    sent: bytes
    happened_on: date
    batch_id: UUID | None = None
    abnormal: bool = False
    known_by: bytes | None = None


NOWHERE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a piece is kept, and the question it waits for."""

    kept: Kept
    unresolved_id: UUID


_NO_ROOM: Final = Held(Kept.full, NOWHERE)
_KNOWN: Final = """
SELECT sender_ref, content_mac, unresolved_id FROM unresolved_evidence
WHERE agency_id = ANY ($1) AND kind = $2 AND sender_ref = ANY ($3::text[])
ORDER BY agency_id = $4
"""

_KEPT_AS: Final = """
SELECT id, unresolved_id, sent_sealed FROM unresolved_evidence
WHERE agency_id = ANY ($1) AND kind = $2 AND sender_ref = $3
ORDER BY agency_id <> $4 LIMIT 1 FOR UPDATE
"""

_KEEP_MORE: Final = """
WITH kept AS (
    UPDATE unresolved_evidence SET sent_sealed = $2 WHERE id = $1 RETURNING unresolved_id
)
UPDATE unresolved u SET version = u.version + 1, updated_at = $3
FROM kept WHERE u.id = kept.unresolved_id
"""

_TAKEN: Final = """EXISTS (
    SELECT FROM unresolved_evidence e JOIN unresolved u ON u.id = e.unresolved_id
    WHERE e.agency_id = {} AND e.kind = {} AND e.sender_ref = {}
      AND (NOT e.content_mac = ANY ({}) OR u.state IN ('attached', 'corrected')))"""

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 25))"

_ROOM: Final = """
SELECT $3 - count(*) FROM (
    SELECT FROM unresolved_evidence WHERE agency_id = $1 AND kind = $2 AND waiting LIMIT $3
) AS waiting
"""

_ASK: Final = """
INSERT INTO unresolved (id, kind, reason, region_code, owner_role, agency_id, sender,
    sent_from, claim, claim_sealed, state, due_at, received_at, updated_at, version, abnormal)
SELECT u.id, $4, $5, $6, $7, $8, $9::jsonb, $12, u.claim, u.sealed, 'open', u.due, $11, $11, 1,
    u.abnormal
FROM UNNEST($1::uuid[], $2::bytea[], $3::bytea[], $13::bool[], $10::timestamptz[])
    AS u (id, claim, sealed, abnormal, due)
ON CONFLICT (agency_id, kind, claim) WHERE state = 'open'
DO UPDATE SET updated_at = excluded.updated_at, version = unresolved.version + 1,
    abnormal = unresolved.abnormal OR excluded.abnormal,
    due_at = least(unresolved.due_at, excluded.due_at),
    dismissal_by = NULL, dismissal_sealed = NULL, dismissal_at = NULL
RETURNING id, claim, due_at
"""

_KEEP: Final = """
INSERT INTO unresolved_evidence (id, unresolved_id, sender_ref, content_mac, sent_sealed,
    happened_on, batch_id, agency_id, region_code, kind, waiting, received_at)
SELECT u.*, $8, $9, $10, true, $11
FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::bytea[], $6::date[], $7::uuid[])
    AS u
ON CONFLICT (agency_id, kind, sender_ref) DO NOTHING
"""


def home_of(region_code: int) -> int:
    """Return the county of a place, or the place itself above counties."""
    try:
        return county_of(region_code)
    except BadRegionCode:
        return region_code


async def hold_as_then(
    tx: Tx, principal: Principal, kind: UnresolvedKind, pieces: Sequence[Piece]
) -> dict[str, Held]:
    """Keep pieces like `hold`, each for the post in which its sender saw what it tells: that is
    whom its child may concern.
    """
    posts = await access.postings(tx, principal, TOLD_BY[kind])
    found: dict[str, Held] = {}
    shares: list[tuple[Principal, list[Piece]]] = []
    for each in pieces:
        acting = acting_on(posts, principal, each.happened_on)
        share = next((share for who, share in shares if who is acting), None)
        if share is None:
            shares.append((acting, share := []))
        share.append(each)
    for acting, share in shares:
        async with nullcontext() if acting is principal else tx.as_system():
            found |= await hold(tx, acting, kind, share)
    return found


async def hold(
    tx: Tx, principal: Principal, kind: UnresolvedKind, pieces: Sequence[Piece]
) -> dict[str, Held]:
    """Keep pieces, by their references; six statements however many there are, and the event.

    A piece sent again is recognised by reference and content, whatever became of it, and whatever
    post its sender has held since. What an agency sends at one moment is kept one after the other,
    so that none is taken for another's repetition.
    """
    await tx.connection.execute(_ONE_AT_A_TIME, f"unresolved/{principal.agency_id}")
    found = await held_before(tx, principal, kind, pieces)
    fresh = {each.sender_ref: each for each in pieces if each.sender_ref not in found}
    if not fresh:
        return found
    most = MOST_WAITING[kind]
    left = await tx.connection.fetchval(_ROOM, principal.agency_id, kind, 2 * most)
    kept = _fitting(list(fresh.values()), left - most, left)
    found |= dict.fromkeys(fresh.keys() - {each.sender_ref for each in kept}, _NO_ROOM)
    if kept:
        asked = await _keep(tx, principal, kind, kept)
        found |= {
            each.sender_ref: Held(Kept.held, asked[claim_index(tx, each.claim)]) for each in kept
        }
    return found


def _fitting(pieces: Sequence[Piece], room: int, room_if_abnormal: int) -> list[Piece]:
    """Return the pieces there is room for, in order: a crowd of ordinary ones keeps out none that
    found something abnormal.
    """
    kept: set[str] = set()
    for each in sorted(pieces, key=lambda piece: not piece.abnormal):
        if len(kept) < (room_if_abnormal if each.abnormal else room):
            kept.add(each.sender_ref)
    return [each for each in pieces if each.sender_ref in kept]


async def held_before(
    tx: Tx, principal: Principal, kind: UnresolvedKind, pieces: Sequence[Piece]
) -> dict[str, Held]:
    """Tell, by their references, which pieces the caller's agency, or one the same person served
    before, sent already, whatever became of them; others are left out.
    """
    by_ref = {each.sender_ref: each for each in pieces}
    rows = await _known(tx, principal, kind, by_ref)
    return {
        ref: Held(Kept.held if mac in digests(tx, kind, by_ref[ref]) else Kept.differs, question)
        for ref, mac, question in map(tuple, rows)
    }


async def contents(
    tx: Tx, principal: Principal, kind: UnresolvedKind, refs: Collection[str]
) -> dict[str, bytes]:
    """Return, of the references under which something was sent before (see `held_before`), the
    digests of what that was (`digest`).
    """
    rows = await _known(tx, principal, kind, refs)
    return {row["sender_ref"]: row["content_mac"] for row in rows}


class KeptAs(NamedTuple):
    """What is kept under a reference: its row, the question it waits for, the JSON of it."""

    row_id: UUID
    unresolved_id: UUID
    sent: bytes


async def kept_as(tx: Tx, principal: Principal, kind: UnresolvedKind, ref: str) -> KeptAs | None:
    """Find and hold what the caller's agency, or one the same person served before, sent under a
    reference.
    """
    agencies = await access.served(tx, principal)
    async with tx.as_system():
        row = await tx.connection.fetchrow(_KEPT_AS, agencies, kind, ref, principal.agency_id)
    if row is None:
        return None
    await keys.of_values(tx, row["sent_sealed"])
    sent = tx.keyring.unseal_bytes(models.SENT, row["id"], row["sent_sealed"])
    return KeptAs(row["id"], row["unresolved_id"], sent)


async def keep_more(tx: Tx, kept: KeptAs, sent: bytes) -> None:
    """Keep more beside what is kept already; it is known again as it came first. Whoever read the
    question has not read this.
    """
    sealed = tx.keyring.seal(models.SENT, kept.row_id, sent)
    async with tx.as_system():
        await tx.connection.execute(_KEEP_MORE, kept.row_id, sealed, tx.now)


async def _known(
    tx: Tx, principal: Principal, kind: UnresolvedKind, refs: Collection[str]
) -> list[asyncpg.Record]:
    """Of two under one reference, that of the agency of now is last."""
    agencies = await access.served(tx, principal)
    async with tx.as_system() if len(agencies) > 1 else nullcontext():
        found: list[asyncpg.Record] = await tx.connection.fetch(
            _KNOWN, agencies, kind, list(refs), principal.agency_id
        )
    return found


def taken(
    tx: Tx, principal: Principal, kind: UnresolvedKind, piece: Piece
) -> tuple[str, Sequence[Any]]:
    """Return the condition that a piece's reference is taken by something else that was kept, or
    that it was kept itself and stored since: for `rows.put`, so that neither is stored again.
    """
    whole = digests(tx, kind, piece)[1::2]
    return _TAKEN, (principal.agency_id, str(kind), piece.sender_ref, whole)


async def _keep(
    tx: Tx, principal: Principal, kind: UnresolvedKind, pieces: Sequence[Piece]
) -> dict[bytes, UUID]:
    owner_role, place = owner_of(kind, principal.region_code)
    asked = await ask(tx, principal, kind, owner_role, place, pieces)
    rows = [new_id() for _ in pieces]
    await tx.connection.execute(
        _KEEP,
        rows,
        [asked[claim_index(tx, each.claim)] for each in pieces],
        [each.sender_ref for each in pieces],
        [digests(tx, kind, each)[0] for each in pieces],
        [
            tx.keyring.seal(models.SENT, row, each.sent)
            for row, each in zip(rows, pieces, strict=True)
        ],
        [each.happened_on for each in pieces],
        [each.batch_id for each in pieces],
        principal.agency_id,
        place,
        kind,
        tx.now,
    )
    return asked


async def ask(
    tx: Tx,
    principal: Principal,
    kind: UnresolvedKind,
    owner_role: str,
    place: int,
    pieces: Sequence[Piece],
) -> dict[bytes, UUID]:
    """Ask what is not being asked already; return the questions by the key of their claims. One
    that is asked already has another version from now on, and nobody's dismissal: whoever read it
    has not read this.
    """
    await renew(tx, (each.claim for each in pieces))
    # In the order of their keys, so that two senders of one agency never deadlock.
    first = {claim_index(tx, each.claim): each.claim for each in reversed(pieces)}
    claims = {index: first[index] for index in sorted(first)}
    new = [(new_id(), index, claim) for index, claim in claims.items()]
    abnormal = {claim_index(tx, each.claim) for each in pieces if each.abnormal}
    by = [due(tx, place, abnormal=index in abnormal) for _, index, _ in new]
    rows = await tx.connection.fetch(
        _ASK,
        [identity for identity, _, _ in new],
        [index for _, index, _ in new],
        [
            tx.keyring.seal(models.CLAIM, identity, orjson.dumps(claim, default=str))
            for identity, _, claim in new
        ],
        kind,
        _REASONS[kind],
        place,
        owner_role,
        principal.agency_id,
        queries.written_down(principal),
        by,
        tx.now,
        principal.region_code,
        [index in abnormal for _, index, _ in new],
    )
    begun = {identity for identity, _, _ in new}
    earlier = set(by)
    news = [row for row in rows if row["id"] in begun or row["due_at"] in earlier]
    await _announce(tx, principal, kind, place, {row["id"]: row["due_at"] for row in news})
    return {row["claim"]: row["id"] for row in rows}


async def _announce(
    tx: Tx,
    principal: Principal,
    kind: UnresolvedKind,
    place: int,
    owed: Mapping[UUID, datetime],
) -> None:
    """Tell who may read them of questions that were not asked before, or are owed sooner now: until
    when, by id.
    """
    if not owed:
        return
    told_to = await queries.readers(tx, kind, place, principal.agency_id)
    about = {"region_code": place, "home_county": home_of(place), "reason": _REASONS[kind]}
    school = {"school_id": principal.agency_id} if kind is UnresolvedKind.attendance else {}
    event: Any = {
        UnresolvedKind.visit: events.VisitUnresolved,
        UnresolvedKind.attendance: events.AttendanceUnresolved,
    }[kind]
    await announcements.publish(
        tx,
        *(
            event(subject_id=each, due_at=due_at, told_to=told_to, **about, **school)
            for each, due_at in owed.items()
        ),
    )


def due(tx: Tx, place: int, *, abnormal: bool = False) -> Any:
    """Return the instant until which a question that arises at a place must be answered."""
    within = settle_abnormal_within if abnormal else settle_within
    return tx.now + timedelta(minutes=within(place, tx.today))
