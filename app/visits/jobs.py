"""What happens to visits by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef
from app.core.data import former, keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced
from app.unresolved import queries as unresolved
from app.unresolved.models import UnresolvedAnswer, UnresolvedKind, UnresolvedReason
from app.unresolved.operations import referrals, settling, taking_back
from app.unresolved.operations.settling import Waiting
from app.unresolved.operations.taking_back import Back, again
from app.unresolved.rules import owner_of
from app.visits import queries
from app.visits.events import VisitCorrected, VisitRecorded
from app.visits.operations import recording, storing
from app.visits.operations import taking_back as visits_taken
from app.visits.schemas.recording import VisitCreate

_JOB: Final = "visits.rename_next_places"


@events.on(RegionReplaced)
async def rename_places(tx: Tx, event: RegionReplaced) -> None:
    """Have visits told as made in a place by the code it has now. Who sees them is another column,
    which followed at once (`children.below`).
    """
    first = following.start(event.old_lo, event.old_hi, event.shift)
    await queue.enqueue(tx.connection, _JOB, [first])


@queue.job(_JOB)
async def rename_next_places(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of visits; queue the next in the same transaction."""
    await following.walk(
        tx,
        _JOB,
        payload,
        table="visits",
        changes="visited_in = t.visited_in + $6",
        which="t.visited_in >= $4 AND t.visited_in < $5",
    )


@settling.takes(UnresolvedKind.visit)
async def store_held_visits(
    tx: Tx, sender: Principal, child: ChildRef, waiting: Sequence[Waiting]
) -> None:
    """Store the visits that waited for a child, as they were sent."""
    for row, sent in waiting:
        new = VisitCreate.model_validate(sent).known_as(UUID(row["sender_ref"]))
        since = unresolved.corrected(tx, row)
        await recording.store_held(tx, sender, child, new, row["received_at"], row["id"], since)


@taking_back.returns(UnresolvedKind.visit)
async def return_visits(
    tx: Tx, sender: Principal, child_id: UUID, waited: Sequence[Waiting]
) -> list[Back]:
    """Take visits back from a child, and all that came since by the same name of it."""
    kept = {UUID(row["sender_ref"]): (row, sent) for row, sent in waited}
    kept |= {row["id"]: (row, sent) for row, sent in waited}
    called = [VisitCreate.model_validate(sent).child_id for _, sent in waited]
    placed, compared = await visits_taken.take_back(tx, sender, child_id, [*kept], called)
    for each in compared:
        await settling.drop(tx, UnresolvedKind.two_entries, each)
    backs = []
    for visit in placed:
        if visit.id in kept:
            row, sent = kept[visit.id]
            claim = {"child_id": VisitCreate.model_validate(sent).child_id}
            piece = replace(again(row, sent, abnormal=visit.abnormal), claim=claim)
            backs.append(Back(row["id"], piece, visit.received_at, visit.corrected))
        else:
            piece = replace(
                storing.as_piece(visit.first, visit.received_at), abnormal=visit.abnormal
            )
            backs.append(Back(None, piece, visit.received_at, visit.corrected))
    return backs


_TWIN: Final = """
UPDATE visits AS v SET possibly_same_as = earlier.id
FROM (SELECT o.id, o.received_at FROM visits n JOIN visits o
        ON o.child_id = n.child_id AND o.home_county = n.home_county
       AND o.visited_on = n.visited_on AND o.agency_id = n.agency_id
       AND o.visitor IS NOT DISTINCT FROM n.visitor AND o.visitor_type = n.visitor_type
      WHERE n.id = $1 AND n.child_id = $2 AND n.home_county = $3
        AND (o.received_at, o.id) < (n.received_at, n.id)
        AND o.same_as IS NULL
      ORDER BY o.received_at, o.id LIMIT 1) AS earlier
WHERE v.id = $1 AND v.child_id = $2 AND v.home_county = $3
  AND v.possibly_same_as IS NULL AND v.same_as IS NULL
RETURNING v.region_code, v.agency_id
"""


@events.on(VisitRecorded)
async def look_for_twin(tx: Tx, event: VisitRecorded) -> None:
    """Mark a visit that is possibly an earlier one under another id, and ask the township."""
    await _look_for_twin(tx, event.subject_id, event.child_id, event.home_county)


@events.on(VisitCorrected)
async def look_for_twin_again(tx: Tx, event: VisitCorrected) -> None:
    """Look again once a visit says another day or visitor."""
    await _look_for_twin(tx, event.subject_id, event.child_id, event.home_county)


async def _look_for_twin(tx: Tx, visit_id: UUID, child_id: UUID, home_county: int) -> None:
    row = await tx.connection.fetchrow(_TWIN, visit_id, child_id, home_county)
    if row is None:
        return
    owner_role, place = owner_of(UnresolvedKind.two_entries, row["region_code"])
    await referrals.ask(
        tx,
        UnresolvedKind.two_entries,
        owner_role,
        place,
        id=visit_id,
        reason=UnresolvedReason.two_entries,
        child_id=child_id,
    )


_SETTLE_TWIN: Final = """
UPDATE visits SET same_as = CASE WHEN $3 THEN possibly_same_as END, possibly_same_as = NULL
WHERE id = $1 AND child_id = $2
"""


@referrals.hears(UnresolvedKind.two_entries)
async def settle_twin(tx: Tx, row: asyncpg.Record, outcome: UnresolvedAnswer) -> None:
    """Mark a visit as the earlier one, or as one of its own. Both are kept."""
    one = outcome is UnresolvedAnswer.one_visit
    await tx.connection.execute(_SETTLE_TWIN, row["id"], row["child_id"], one)


BATCH: Final = 1000
_SEAL_JOB: Final = "visits.seal_next_findings"
_COUNTY: Final = """
SELECT home_county FROM visits WHERE findings <> '[]' ORDER BY home_county, id LIMIT 1
"""
_IN_PLAIN: Final = """
SELECT v.id, v.child_id, v.findings, v.words_sealed FROM visits v
WHERE v.home_county = $1 AND v.findings <> '[]' ORDER BY v.id LIMIT $2 FOR NO KEY UPDATE
"""
_SEAL: Final = """
UPDATE visits v SET words_sealed = u.words_sealed, findings = '[]'
FROM unnest($2::uuid[], $3::bytea[]) AS u (id, words_sealed)
WHERE v.home_county = $1 AND v.id = u.id
"""


@queue.every("visits.seal_findings", "*/10 * * * *")
async def seal_findings(tx: Tx, _: dict[str, Any]) -> None:
    """Have sealed what the release before wrote in the clear, once that is gone."""
    if await former.left(tx, former.FINDINGS):
        await _seal(tx)


@queue.job(_SEAL_JOB, of="visits.seal_findings")
async def seal_next_findings(tx: Tx, _: dict[str, Any]) -> None:
    """Seal those of the next batch; queue the next in the same transaction."""
    await _seal(tx)


async def _seal(tx: Tx) -> None:
    county = await tx.connection.fetchval(_COUNTY)
    if county is None:
        await former.done(tx, former.FINDINGS)
        return
    sealed = []
    rows = await tx.connection.fetch(_IN_PLAIN, county, BATCH)
    await keys.load(tx, [of_child(row["child_id"]) for row in rows], county)
    for row in rows:
        found = queries.found(tx, row)
        notes = {"note": None, "findings": [None] * len(found)}
        words = orjson.dumps({**notes, **queries.words_of(tx, row), "codes": found})
        of = of_child(row["child_id"])
        sealed.append((row["id"], tx.keyring.seal(queries.WORDS, row["id"], words, of)))
    ids, words_of_each = [row_id for row_id, _ in sealed], [words for _, words in sealed]
    await tx.connection.execute(_SEAL, county, ids, words_of_each)
    await queue.enqueue(tx.connection, _SEAL_JOB, [{}], dedupe_keys=["next"])
