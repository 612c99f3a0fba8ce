"""A referral is answered, taken back or passed on."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import child_keys
from app.core.data import former
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.jobs import events
from app.referrals import models, schemas
from app.referrals.acts import ACTS
from app.referrals.events import (
    ReferralAccepted,
    ReferralAnswered,
    ReferralCancelled,
    ReferralPassedOn,
    SituationFound,
)
from app.referrals.models import ANSWER, REASON, ReferralOutcome, ReferralState
from app.referrals.operations.opening import due_at, receivers
from app.referrals.operations.telling import about, owed

_FORMER: Final = former.MAY_RUN.format("$11")
_ANSWER: Final = f"""
UPDATE referrals SET state = $3, answer = $4, answer_sealed = $5, done_on = $6, answered_at = $7,
    answered_by = $8, found = CASE WHEN {_FORMER} THEN $9::text[] ELSE '{{}}' END,
    found_sealed = CASE WHEN NOT {_FORMER} THEN $12::bytea END, said_sealed = $10,
    version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def answer_referral(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.ReferralAnswerCreate,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Answer a locked referral, as the agency that has it: what was said before is kept, and what
    was found stays found. A day ahead is kept as said, and today counts. Raises
    PreconditionFailed, NotReferredToYou, ReferralEnded.
    """
    check_version(row["version"], if_match)
    ACTS["answerReferral"].require(principal, row, tx.today)
    done_on = min(said.done_on or tx.today, tx.today)
    accepts = said.answer is ReferralOutcome.accepted
    of = await child_keys.of(tx, row)
    words = None if said.words is None else tx.keyring.seal(ANSWER, row["id"], said.words, of)
    before = models.said(tx.keyring, row)
    by = {"by": principal.subject, "agency_id": str(principal.agency_id), "at": tx.now}
    this = {**said.model_dump(mode="json"), **by, "as_sent": said.unread or None}
    kept = tx.keyring.seal(models.SAID, row["id"], orjson.dumps([*before, this]), of)
    known = models.codes(tx.keyring, row, "found")
    found = sorted({*known, *said.found})
    now = await tx.connection.fetchrow(
        _ANSWER,
        *(
            row["id"],
            row["home_county"],
            ReferralState.accepted if accepts else ReferralState.answered,
        ),
        *(said.answer, words, done_on, tx.now, principal.subject, found, kept),
        former.gone_since(tx),
        models.sealed_codes(tx.keyring, row["id"], "found", found, of),
    )
    told: list[events.Event] = [
        await about(tx, ReferralAnswered, now, answer=said.answer, ended=not accepts)
    ]
    if accepts:
        told.append(await about(tx, ReferralAccepted, now))
    if new := sorted({*said.found} - {*known}):
        owes = {"change_id": new_id(), "agency_id": principal.agency_id, "found": new}
        event = await about(tx, SituationFound, now, **owes)
        told.append(event.model_copy(update={"told_to": ()}))
    await events.publish(tx, *told)
    return now


_CANCEL: Final = """
UPDATE referrals SET state = 'cancelled', reason_sealed = $3, cancelled_at = $4, cancelled_by = $5,
    version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def cancel_referral(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.ReferralCancellation,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Take a locked referral back, as the agency that sent it. Raises PreconditionFailed,
    NotReferredByYou, ReferralEnded, PersonRequired, NotTakenBackHere.
    """
    check_version(row["version"], if_match)
    ACTS["cancelReferral"].require(principal, row, tx.today)
    of = await child_keys.of(tx, row)
    reason = tx.keyring.seal(REASON, row["id"], said.reason, of)
    key = (row["id"], row["home_county"])
    now = await tx.connection.fetchrow(_CANCEL, *key, reason, tx.now, principal.subject)
    await events.publish(tx, await about(tx, ReferralCancelled, now))
    return now


_UNASK: Final = """
UPDATE referrals SET state = 'cancelled', cancelled_at = $3, cancelled_by = 'system',
    version = version + 1
WHERE source_id = $1 AND id <> ALL ($2::uuid[]) AND state IN ('open', 'accepted') RETURNING *
"""


async def keep_only(tx: Tx, source_id: UUID, still: Collection[UUID]) -> None:
    """Take back what a visit or report asked for and asks no more."""
    rows = await tx.connection.fetch(_UNASK, source_id, list(still), tx.now)
    await events.publish(tx, *[await about(tx, ReferralCancelled, row) for row in rows])


_UNRESTED: Final = """
UPDATE referrals SET state = 'cancelled', cancelled_at = $4, cancelled_by = 'system',
    version = version + 1
WHERE home_county = $1 AND child_id = $2 AND to_kind = ANY ($3::text[]) AND source = 'by_hand'
    AND state IN ('open', 'accepted') RETURNING *
"""


async def stop_resting(tx: Tx, home_county: int, child_id: UUID, kinds: Sequence[str]) -> None:
    """Take back what a child was referred for by hand to some kinds of agency, and has not come to
    an end: what it rested on was withdrawn.
    """
    rows = await tx.connection.fetch(_UNRESTED, home_county, child_id, list(kinds), tx.now)
    await events.publish(tx, *[await about(tx, ReferralCancelled, row) for row in rows])


_HELD: Final = """
SELECT r.*, c.school_id FROM referrals r
JOIN children c ON c.home_county = r.home_county AND c.id = r.child_id
WHERE r.home_county = $3 AND r.source_id = $1 AND r.to_id = ANY ($2::uuid[])
  AND r.state IN ('open', 'accepted')
ORDER BY r.id FOR UPDATE OF r
"""
_ASKED_IN: Final = """
SELECT DISTINCT home_county FROM referrals
WHERE source_id = $1 AND to_id = ANY ($2::uuid[]) AND state IN ('open', 'accepted') ORDER BY 1
"""
_HAND_ON: Final = """
UPDATE referrals r SET to_id = u.to_id, waits = u.waits, state = 'open', due_at = $4,
    answer = NULL, answer_sealed = NULL, done_on = NULL, answered_at = NULL, answered_by = NULL,
    found = '{}', found_sealed = NULL, version = version + 1
FROM UNNEST($1::uuid[], $2::uuid[], $3::boolean[], $5::bigint[])
    AS u (id, to_id, waits, home_county)
WHERE r.home_county = u.home_county AND r.id = u.id RETURNING r.*
"""


async def keep_from(tx: Tx, report_id: UUID, agencies: Sequence[UUID]) -> None:
    """Take what was arranged after a report from agencies against which it speaks by now, and ask
    the next one anew (AZ-8). What was said stays kept. In SYSTEM's reach.
    """
    counties = await tx.connection.fetch(_ASKED_IN, report_id, agencies)
    held: Sequence[Mapping[str, Any]] = [
        row
        for county in counties
        for row in await tx.connection.fetch(_HELD, report_id, agencies, county["home_county"])
    ]
    if not held:
        return
    found = await receivers(tx, held[0], [{**row, "to_id": None} for row in held], agencies)
    waits = [new["kind"] != row["to_kind"] for new, row in zip(found, held, strict=True)]
    ids = [row["id"] for row in held], [new["id"] for new in found]
    due, of = due_at(tx, held[0]["region_code"]), [row["home_county"] for row in held]
    rows = await tx.connection.fetch(_HAND_ON, *ids, waits, due, of)
    await events.publish(tx, *[await owed(tx, ReferralPassedOn, row) for row in rows])
