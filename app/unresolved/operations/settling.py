"""Store what waits where it belongs, once that is known; or say that it belongs nowhere.

What is kept is stored by the package it belongs to, in the function registered by `takes`: as if it
had come rightly, with its first sender, time and id.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import duplicates, enrolments
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events as announcements
from app.unresolved import events, models, queries, schemas
from app.unresolved.acts import ACTS
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.operations.holding import claim_index, home_of

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
    tx: Tx, principal: Principal, row: asyncpg.Record, child_id: UUID, *, if_match: int
) -> None:
    """Store what waits as evidence about a child the caller sees. Raises ChildNotFound,
    NotForThisKind, NotYoursToSettle, SettledAlready, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["attachUnresolved"].require(principal, row, tx.today)
    child = await children.find(tx, principal, child_id)
    if child is None:
        raise ChildNotFound
    async with tx.as_system():
        await _store(tx, row, child, UnresolvedState.attached, principal.subject)


async def correct(
    tx: Tx, principal: Principal, row: asyncpg.Record, claim: Mapping[str, Any], *, if_match: int
) -> None:
    """Let what waits be about somebody else, and try again by its sender's authority. If that tells
    nobody yet, it stays open. Raises NotForThisKind, SettledAlready, PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["correctUnresolved"].require(principal, row, tx.today)
    async with tx.as_system():
        index = claim_index(tx, claim)
        other = await _join_others(tx, row, index)
        changed = await tx.connection.fetchrow(
            "UPDATE unresolved SET claim = $2, claim_sealed = $3, version = version + 1,"
            " updated_at = $4, abnormal = abnormal OR $5,"
            " dismissal_by = NULL, dismissal_sealed = NULL, dismissal_at = NULL"
            " WHERE id = $1 RETURNING *",
            row["id"],
            index,
            tx.keyring.seal(models.CLAIM, row["id"], orjson.dumps(claim, default=str)),
            tx.now,
            other is not None and other["abnormal"],
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
    DismissedByAPerson, SettledAlready, SecondPersonDismisses, PreconditionFailed.
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
) -> bool:
    """Store what waits if its sender, by the authority of then, sees now whom it is about, or if
    that was decided before of what is no file's own id. `row` is locked, the reach SYSTEM's. Tells
    whether it was.
    """
    sender = queries.sender_of(row)
    claim = queries.claim_of(tx, row) or {}
    child: ChildRef | None = None
    if claim.get("student"):
        number = (claim["student"]["system"], claim["student"]["number"])
        child = (await children.resolve_external(tx, sender, [number])).get(number)
        child = child or await _pupil_then(tx, row, number)
    elif claim:
        child = await children.find(tx, sender, UUID(str(claim["child_id"])))
        child = child or await _then(tx, sender, row, UUID(str(claim["child_id"])))
        child = child or await _agreed(tx, sender, UUID(str(claim["child_id"])))
    if child is None:
        decided = await tx.connection.fetchval(
            _DECIDED, row["claim"], row["agency_id"], row["kind"], claim.get("child_id")
        )
        child = None if decided is None else await children.find_anywhere(tx, decided)
    if child is None:
        return False
    await _store(tx, row, child, state, by)
    return True


async def _pupil_then(tx: Tx, row: asyncpg.Record, number: enrolments.Known) -> ChildRef | None:
    """Find the child that was a pupil of its sender on every day of what waits, by its number."""
    days = {(number, each["happened_on"]) for each in await _waiting(tx, row["id"])}
    found = await enrolments.pupils_then(tx, row["agency_id"], days)
    pupils = {*found.values()}
    return pupils.pop() if len(pupils) == 1 and len(found) == len(days) else None


async def _then(tx: Tx, sender: Principal, row: asyncpg.Record, child_id: UUID) -> ChildRef | None:
    """Find a child its sender looked after on every day of what waits."""
    days = {each["happened_on"] for each in await _waiting(tx, row["id"])}
    found = [await children.looked_after(tx, sender, child_id, day) for day in days]
    return found[0] if found and all(found) else None


async def _agreed(tx: Tx, sender: Principal, child_id: UUID) -> ChildRef | None:
    """Find the child that those in charge said an id of the sender's means."""
    named = await children.named_by(tx, sender.agency_id, child_id)
    return await children.find_anywhere(tx, named.child_id) if named and named.agreed else None


async def _waiting(tx: Tx, unresolved_id: UUID) -> list[asyncpg.Record]:
    return await queries.evidence(tx, unresolved_id, most=None, waiting=True)


async def _store(
    tx: Tx, row: asyncpg.Record, child: ChildRef, state: UnresolvedState, by: str
) -> None:
    kind = UnresolvedKind(row["kind"])
    rows = await _waiting(tx, row["id"])
    sender = queries.sender_of(row)
    await _TAKERS[kind](tx, sender, child, [(each, queries.said(tx, each)) for each in rows])
    claim = queries.claim_of(tx, row) or {}
    if state is UnresolvedState.attached and claim.get("child_id") and by != "system":
        # What its sender goes on sending under this id reaches the file at once.
        alias = UUID(str(claim["child_id"]))
        await duplicates.adopt(tx, sender.agency_id, alias, child.id, agreed=True)
    await settle(tx, row, state, by, child_id=child.id)


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
    place = row["region_code"]
    about = {"region_code": place, "home_county": home_of(place)}
    told_to = await queries.readers(
        tx, UnresolvedKind(row["kind"]), place, row["agency_id"], row["about_id"]
    )
    settled = events.UnresolvedSettled(
        subject_id=row["id"], outcome=state, told_to=told_to, **about
    )
    await announcements.publish(tx, settled)


_ASKED_OF: Final = """
SELECT u.id FROM unresolved u WHERE u.state = 'open' AND u.claim = ANY (
    SELECT uuid_send($1::uuid)
    UNION ALL SELECT x.index FROM child_external_ids x WHERE x.child_id = $1::uuid
    UNION ALL SELECT uuid_send(a.alias) FROM child_aliases a WHERE a.child_id = $1::uuid)
ORDER BY u.id
"""


async def look_again(tx: Tx, child_id: UUID) -> None:
    """Try again whatever may be about a child whose file appeared or changed, in SYSTEM's reach."""
    for found in await tx.connection.fetch(_ASKED_OF, child_id):
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
