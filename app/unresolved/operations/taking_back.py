"""What was placed with the wrong child is taken back by a named person, with a reason: that child's
file loses it, and it is asked about anew, or placed with another.

What was stored is taken away by the package it belongs to, in the function registered by `returns`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import duplicates
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.unresolved import models, queries, schemas
from app.unresolved.acts import ACTS
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.operations import settling
from app.unresolved.operations.holding import Piece, ask
from app.unresolved.operations.knowing import claim_index, digest, renew
from app.unresolved.operations.settling import Waiting


@dataclass(frozen=True, slots=True)
class Back:
    """One thing that was taken back from a child: what was sent, and what it was corrected to since
    (JSON), one after the other. `id`: of the evidence as which it waited before, if it did.
    """

    id: UUID | None
    piece: Piece
    received_at: datetime
    corrected: Sequence[Mapping[str, Any]] = ()


Returner = Callable[[Tx, Principal, UUID, Sequence[Waiting]], Awaitable[Sequence[Back]]]
_RETURNERS: Final[dict[UnresolvedKind, Returner]] = {}


def returns(kind: UnresolvedKind) -> Callable[[Returner], Returner]:
    """Let the decorated function take evidence of a kind back from a child, in SYSTEM's reach, as
    if it had never been stored there: it is given who sent it, the child, and what had waited; it
    returns all that was there, what was sent since by the same name of the child included.
    """
    return lambda returner: _RETURNERS.setdefault(kind, returner)


_ALIKE: Final = """
SELECT * FROM unresolved
WHERE claim = $1 AND agency_id = $2 AND kind = $3 AND child_id = $4
  AND state IN ('attached', 'corrected')
ORDER BY id FOR UPDATE
"""
_MARK: Final = """
UPDATE unresolved SET state = 'taken_back', taken_back_by = $2, taken_back_sealed = $3,
    taken_back_at = $4, updated_at = $4, version = version + 1
WHERE id = $1
"""
_TAKEN_FROM: Final = """
UPDATE unresolved SET other_child_id = $2 WHERE id = ANY ($1) AND state = 'open' RETURNING *
"""


async def take_back(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.UnresolvedTakeBack,
    *,
    if_match: int,
) -> None:
    """Say that what was sent was placed with the wrong child: its file loses it, with all that
    followed the same decision, and it is asked about anew, or placed with another child the caller
    sees. Raises ChildNotFound, NotForThisKind, NotYoursToSettle, PersonRequired, NothingPlaced,
    PreconditionFailed.
    """
    check_version(row["version"], if_match)
    ACTS["takeBackUnresolved"].require(principal, row, tx.today)
    child = said.child_id and await children.find(tx, principal, said.child_id)
    if said.child_id is not None and child is None:
        raise ChildNotFound
    kind, wrong = UnresolvedKind(row["kind"]), row["child_id"]
    claim = queries.claim_of(tx, row)
    if claim is not None:
        await renew(tx, [claim])
    about = (claim_index(tx, claim) if claim else None, row["agency_id"], kind, wrong)
    async with tx.as_system():
        backs: list[Back] = []
        for each in await tx.connection.fetch(_ALIKE, *about):
            kept = await queries.evidence(tx, each["id"], most=None, waiting=False)
            waited = [(one, queries.said(tx, one)) for one in kept]
            backs += await _RETURNERS[kind](tx, queries.sender_of(each), wrong, waited)
            sealed = tx.keyring.seal(models.TAKEN_BACK, each["id"], said.words)
            await tx.connection.execute(_MARK, each["id"], principal.subject, sealed, tx.now)
            await settling.announce(tx, each, UnresolvedState.taken_back)
        names = [back.piece.claim["child_id"] for back in backs if "child_id" in back.piece.claim]
        await duplicates.forget(tx, row["agency_id"], names, wrong)
        asked = await hold_again(tx, queries.sender_of(row), row, backs)
        for anew in await tx.connection.fetch(_TAKEN_FROM, asked, wrong):
            if child:
                await settling.attach_to(tx, anew, child, principal.subject, said.words)


_HOLD_AGAIN: Final = """
INSERT INTO unresolved_evidence (id, unresolved_id, sender_ref, content_mac, sent_sealed,
    happened_on, batch_id, corrected_sealed, received_at, agency_id, region_code, kind, waiting)
SELECT u.*, $10, $11, $12, true
FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::bytea[], $6::date[], $7::uuid[],
    $8::bytea[], $9::timestamptz[]) AS u
ON CONFLICT (agency_id, kind, sender_ref) DO UPDATE SET unresolved_id = excluded.unresolved_id,
    waiting = true, corrected_sealed = excluded.corrected_sealed
"""


async def hold_again(
    tx: Tx, sender: Principal, row: asyncpg.Record, backs: Sequence[Back]
) -> list[UUID]:
    """Keep what was taken back from a child, and return the questions for which it waits now, in
    SYSTEM's reach: owed where `row`, for which it waited before, was. However much the sender has
    waiting: it was taken once. Two statements, and the event.
    """
    kind, place = UnresolvedKind(row["kind"]), row["region_code"]
    pieces = [back.piece for back in backs]
    asked = await ask(tx, sender, kind, row["owner_role"], place, pieces)
    kept = [(back.id or new_id(), back) for back in backs]
    await tx.connection.execute(
        _HOLD_AGAIN,
        [each for each, _ in kept],
        [asked[claim_index(tx, back.piece.claim)] for back in backs],
        [back.piece.sender_ref for back in backs],
        [digest(tx, kind, back.piece.sent) for back in backs],
        [tx.keyring.seal(models.SENT, each, back.piece.sent) for each, back in kept],
        [back.piece.happened_on for back in backs],
        [back.piece.batch_id for back in backs],
        [
            tx.keyring.seal(models.CORRECTED, each, orjson.dumps(back.corrected))
            if back.corrected
            else None
            for each, back in kept
        ],
        [back.received_at for back in backs],
        row["agency_id"],
        place,
        kind,
    )
    return sorted({*asked.values()})


def again(row: Mapping[str, Any], sent: Mapping[str, Any], *, abnormal: bool = False) -> Piece:
    """Return what waited before, as it was sent, about whom it was said to be then."""
    student = sent.get("student") or {}
    claim = {"student": student} if "number" in student else {"child_id": None, **student}
    claim |= {"child_id": sent["child_id"]} if "child_id" in sent else {}
    return Piece(
        row["sender_ref"],
        claim,
        orjson.dumps(sent),
        row["happened_on"],
        row["batch_id"],
        abnormal=abnormal,
    )
