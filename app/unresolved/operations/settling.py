"""Store what waits where it belongs, once that is known; or say that it belongs nowhere.

What is kept is stored by the package it belongs to, in the function registered by `takes`: as if it
had come rightly, with its first sender, time and id.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access import queries as access
from app.access.principal import Principal
from app.children import duplicates, enrolments, indexes
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.children.queries import ChildRef
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events as announcements
from app.unresolved import events, models, queries, schemas
from app.unresolved.acts import ACTS
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.operations.holding import home_of
from app.unresolved.operations.knowing import claim_index, renew
from app.unresolved.rules import TOLD_BY

Waiting = tuple[asyncpg.Record, dict[str, Any]]
"""A row of `unresolved_evidence`, and what was sent."""

Taker = Callable[[Tx, Principal, ChildRef, Sequence[Waiting]], Awaitable[None]]
_TAKERS: Final[dict[UnresolvedKind, Taker]] = {}


def takes(kind: UnresolvedKind) -> Callable[[Taker], Taker]:
    """Let the decorated function store evidence of a kind, in SYSTEM's reach: it is given who sent
    it, as they were then, the child, and what waits, oldest first.
    """
    return lambda taker: _TAKERS.setdefault(kind, taker)


async def attach(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.UnresolvedAttachment,
    *,
    if_match: int,
) -> None:
    """Store what waits as evidence about a child the caller sees. Raises ChildNotFound,
    NotForThisKind, NotYoursToSettle, PersonRequired, SettledAlready, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["attachUnresolved"].require(principal, row, tx.today)
    child = await children.find(tx, principal, said.child_id)
    if child is None:
        raise ChildNotFound
    async with tx.as_system():
        await attach_to(tx, row, child, principal.subject, said.words)


async def correct(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.UnresolvedCorrection,
    *,
    if_match: int,
) -> None:
    """Let what waits be about somebody else, and try again by its sender's authority. If that tells
    nobody yet, it stays open, and is whose it was said to be first if that appears. Raises
    NotForThisKind, PersonRequired, SettledAlready, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["correctUnresolved"].require(principal, row, tx.today)
    claim = claimed(said)
    async with tx.as_system():
        await renew(tx, [claim])
        index = claim_index(tx, claim)
        other = await _join_others(tx, row, index)
        changed = await tx.connection.fetchrow(
            "UPDATE unresolved SET claim = $2, claim_sealed = $3, version = version + 1,"
            " first_claim = coalesce(first_claim, claim),"
            " first_claim_sealed = coalesce(first_claim_sealed, claim_sealed),"
            " updated_at = $4, abnormal = abnormal OR $5, words_sealed = $6,"
            " dismissal_by = NULL, dismissal_sealed = NULL, dismissal_at = NULL"
            " WHERE id = $1 RETURNING *",
            row["id"],
            index,
            tx.keyring.seal(models.CLAIM, row["id"], orjson.dumps(claim, default=str)),
            tx.now,
            other is not None and other["abnormal"],
            tx.keyring.seal(models.WORDS, row["id"], said.words),
        )
        await try_again(tx, changed, UnresolvedState.corrected, principal.subject)


_OTHER: Final = """
SELECT * FROM unresolved
WHERE agency_id = $1 AND kind = $2 AND claim = $3 AND state = 'open' AND id <> $4 FOR UPDATE
"""


async def _join_others(tx: Tx, row: asyncpg.Record, index: bytes) -> asyncpg.Record | None:
    """Take over what waits for the same answer under another question, and return that: it is asked
    once.
    """
    other = await tx.connection.fetchrow(_OTHER, row["agency_id"], row["kind"], index, row["id"])
    if other is None:
        return None
    await tx.connection.execute(
        "UPDATE unresolved_evidence SET unresolved_id = $2 WHERE unresolved_id = $1",
        other["id"],
        row["id"],
    )
    await settle(tx, other, UnresolvedState.corrected, "system")
    return other


async def dismiss(
    tx: Tx, principal: Principal, row: asyncpg.Record, words: str, *, if_match: int
) -> None:
    """Say in words that it belongs nowhere. What was sent is kept. What holds an abnormal finding
    stays open until a second person says so too. Raises NotForThisKind, NotYoursToSettle,
    PersonRequired, SettledAlready, SecondPersonDismisses, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["dismissUnresolved"].require(principal, row, tx.today)
    if row["abnormal"] and row["dismissal_by"] is None:
        await tx.connection.execute(
            "UPDATE unresolved SET dismissal_by = $2, dismissal_sealed = $3, dismissal_at = $4,"
            " updated_at = $4, version = version + 1 WHERE id = $1",
            row["id"],
            principal.subject,
            tx.keyring.seal(models.DISMISSAL, row["id"], words),
            tx.now,
        )
        return
    sealed = tx.keyring.seal(models.WORDS, row["id"], words)
    await settle(tx, row, UnresolvedState.dismissed, principal.subject, words_sealed=sealed)


_DECIDED: Final = """
SELECT u.child_id FROM unresolved u
WHERE u.claim = $1 AND u.agency_id = $2 AND u.kind = $3 AND u.state IN ('attached', 'corrected')
  AND u.child_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM children c WHERE c.id = $4)
ORDER BY u.settled_at DESC LIMIT 1
"""


async def try_again(
    tx: Tx,
    row: asyncpg.Record,
    state: UnresolvedState = UnresolvedState.attached,
    by: str = "system",
) -> None:
    """Store what waits if its sender, by the authority of then, sees now whom it is about, or if
    that was decided before of what is no file's own id. Else each piece by itself, if its sender
    looked after the child on its day: one doubtful day keeps back nothing but itself. `row` is
    locked, the reach SYSTEM's.
    """
    pieces = await queries.evidence(tx, row["id"], most=None, waiting=True)
    await keys.of_rows(tx, [row])
    found = await _found(tx, row, queries.claim_of(tx, row) or {}, pieces)
    first = queries.claim_of(tx, row, "first_claim_sealed")
    if len(found) < len(pieces) and first is not None:
        found = await _found(tx, row, first, pieces) | found
    for whom in {*found.values()}:
        await _take(tx, row, whom, [each for each in pieces if found.get(each["id"]) == whom])
    if found and len(found) == len(pieces):
        await settle(tx, row, state, by, child_id=found[pieces[-1]["id"]].id)
    elif found:
        await tx.connection.execute(_LESS, row["id"], tx.now)


async def _found(
    tx: Tx, row: asyncpg.Record, claim: Mapping[str, Any], pieces: Sequence[asyncpg.Record]
) -> dict[UUID, ChildRef]:
    """Find the child of each piece, as far as a claim tells; never the one they were taken from."""
    sender = queries.sender_of(row)
    child = await _visible(tx, sender, claim)
    found = {} if child else await _then(tx, sender, claim, pieces)
    if len(found) < len(pieces) and (child := child or await _decided(tx, row, claim)):
        found = {each["id"]: found.get(each["id"], child) for each in pieces}
    return {piece: whom for piece, whom in found.items() if whom.id != row["other_child_id"]}


_LESS: Final = """
UPDATE unresolved SET updated_at = $2, version = version + 1 WHERE id = $1
"""


async def _visible(tx: Tx, sender: Principal, claim: Mapping[str, Any]) -> ChildRef | None:
    """Find the child that its sender sees, or that those in charge said an id of theirs means."""
    known = _known(claim)
    if not isinstance(known, UUID):
        return (await children.resolve_external(tx, sender, [known])).get(known)
    found = await children.find(tx, sender, known)
    if found is None and (named := await children.named_by(tx, sender.agency_id, known)):
        found = await children.find_anywhere(tx, named.child_id) if named.agreed else None
    return found


def _known(claim: Mapping[str, Any]) -> enrolments.Known:
    """Return whom a claim names: the id of a file, or (system, number)."""
    if claim.get("student"):
        return claim["student"]["system"], claim["student"]["number"]
    return UUID(str(claim["child_id"]))


async def _decided(tx: Tx, row: asyncpg.Record, claim: Mapping[str, Any]) -> ChildRef | None:
    """Find the child that the same claim was decided to mean before."""
    await renew(tx, [claim])
    decided = await tx.connection.fetchval(
        _DECIDED, claim_index(tx, claim), row["agency_id"], row["kind"], claim.get("child_id")
    )
    return None if decided is None else await children.find_anywhere(tx, decided)


async def _then(
    tx: Tx, sender: Principal, claim: Mapping[str, Any], pieces: Sequence[asyncpg.Record]
) -> dict[UUID, ChildRef]:
    """Find, for each piece, the child its sender looked after on the day of it."""
    known = _known(claim)
    if sender.school_id is not None or not isinstance(known, UUID):
        days = {(known, each["happened_on"]) for each in pieces}
        pupils = await enrolments.pupils_then(tx, sender.agency_id, days)
        of_days = ((each["id"], pupils.get((known, each["happened_on"]))) for each in pieces)
        return {piece: pupil for piece, pupil in of_days if pupil is not None}
    if named := await children.named_by(tx, sender.agency_id, known):
        known = named.child_id
    posts = await access.postings(tx, sender, TOLD_BY[UnresolvedKind.visit])
    found = {}
    for each in pieces:
        day, told_on = each["happened_on"], local_date(each["received_at"])
        then = await children.looked_after(tx, posts, known, day, told_on=told_on)
        if then is not None:
            found[each["id"]] = then.child
    return found


async def attach_to(tx: Tx, row: asyncpg.Record, child: ChildRef, by: str, words: str) -> None:
    """Store what waits with a child, for the reason given, in SYSTEM's reach. `row` is locked."""
    await _take(tx, row, child, await queries.evidence(tx, row["id"], most=None, waiting=True))
    await keys.of_rows(tx, [row])
    claim = queries.claim_of(tx, row) or {}
    if claim.get("child_id"):
        # What its sender goes on sending under this id reaches the file at once.
        alias = UUID(str(claim["child_id"]))
        await duplicates.adopt(tx, row["agency_id"], alias, child.id, agreed=True)
    sealed = tx.keyring.seal(models.WORDS, row["id"], words)
    await settle(tx, row, UnresolvedState.attached, by, child_id=child.id, words_sealed=sealed)


async def _take(
    tx: Tx, row: asyncpg.Record, child: ChildRef, pieces: Sequence[asyncpg.Record]
) -> None:
    """Let the package it belongs to store some of what waits; it waits no more."""
    said = [(each, queries.said(tx, each)) for each in pieces]
    await _TAKERS[UnresolvedKind(row["kind"])](tx, queries.sender_of(row), child, said)
    await tx.connection.execute(_TAKEN, [each["id"] for each in pieces])


_TAKEN: Final = "UPDATE unresolved_evidence SET waiting = false WHERE id = ANY ($1::uuid[])"


async def settle(
    tx: Tx, row: Mapping[str, Any], state: UnresolvedState, by: str, **columns: Any
) -> None:
    """Close a locked question, let nothing wait for it any more, and announce it."""
    values = {"state": state, "settled_by": by, "settled_at": tx.now, "updated_at": tx.now}
    values |= columns
    places = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 2))
    await tx.connection.execute(
        f"UPDATE unresolved SET version = version + 1, {places} WHERE id = $1",
        row["id"],
        *values.values(),
    )
    await tx.connection.execute(
        "UPDATE unresolved_evidence SET waiting = false WHERE unresolved_id = $1 AND waiting",
        row["id"],
    )
    await announce(tx, row, state)


async def announce(tx: Tx, row: Mapping[str, Any], state: UnresolvedState) -> None:
    """Tell whoever may read a question how it ended."""
    place = row["region_code"]
    about = {"region_code": place, "home_county": home_of(place)}
    told_to = await queries.readers(
        tx, UnresolvedKind(row["kind"]), place, row["agency_id"], row["about_id"]
    )
    settled = events.UnresolvedSettled(
        subject_id=row["id"], outcome=state, told_to=told_to, **about
    )
    await announcements.publish(tx, settled)


_OPEN: Final = "SELECT * FROM unresolved WHERE id = $1 AND kind = $2 AND state = 'open' FOR UPDATE"


async def drop(tx: Tx, kind: UnresolvedKind, unresolved_id: UUID) -> None:
    """Let a question be asked no more, if it is, in SYSTEM's reach: what it was about is gone."""
    row = await tx.connection.fetchrow(_OPEN, unresolved_id, kind)
    if row is not None:
        await settle(tx, row, UnresolvedState.taken_back, "system")


_ASKED_OF: Final = """
WITH called (key) AS MATERIALIZED (
    SELECT uuid_send($1::uuid)
    UNION SELECT x.index FROM child_external_ids x WHERE x.child_id = $1::uuid
    UNION SELECT unnest($2::bytea[])
    UNION ALL SELECT uuid_send(a.alias) FROM child_aliases a WHERE a.child_id = $1::uuid)
SELECT u.id FROM called JOIN unresolved u ON u.claim = key AND u.state = 'open'
UNION
SELECT u.id FROM called JOIN unresolved u ON u.first_claim = key AND u.state = 'open'
ORDER BY id
"""


async def look_again(tx: Tx, child_id: UUID) -> None:
    """Try again whatever may be about a child whose file appeared or changed, in SYSTEM's reach."""
    rotated = len(tx.keyring.index) > 1  # then a claim may be older than what the file has
    spelt = await indexes.number_indexes(tx, child_id) if rotated else []
    for found in await tx.connection.fetch(_ASKED_OF, child_id, spelt):
        await ask_again(tx, found["id"])


async def ask_again(tx: Tx, unresolved_id: UUID) -> None:
    """Try one question again, unless it is settled by now, in SYSTEM's reach."""
    row = await tx.connection.fetchrow(
        "SELECT * FROM unresolved WHERE id = $1 AND state = 'open' FOR UPDATE", unresolved_id
    )
    if row is not None and row["sender"] is not None:
        await try_again(tx, row)


def claimed(correction: schemas.UnresolvedCorrection) -> dict[str, Any]:
    """Return what a correction says as a claim."""
    said = correction.model_dump(mode="json", exclude_none=True)
    return {name: said[name] for name in ("child_id", "student") if name in said}
