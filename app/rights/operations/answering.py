"""A request about a child's data is answered, and a copy made for it."""

from hashlib import sha256
from typing import Final

import asyncpg

from app.access.principal import Principal
from app.children import child_keys
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.http.shown import json_of
from app.core.jobs import events
from app.core.problems import Problem
from app.rights import copying, schemas
from app.rights.acts import ACTS, SEEN, NoCopyAsked
from app.rights.events import RightsRequestAnswered
from app.rights.models import ANSWER, RefusalReason, RightsKind, RightsOutcome
from app.rights.operations.filing import about
from app.rights.operations.restricting import restrict


class CopyNotMade(Problem, status=409):
    """Who is granted a copy was given one."""

    title = "Make the copy first: it is what is granted"
    title_zh = "请先制作副本,再答复同意"


_COPIED: Final = """
UPDATE rights_requests SET copy_sha256 = $3, copied_at = $4, copied_by = $5, version = version + 1
WHERE id = $1 AND home_county = $2
"""


async def copy_child_data(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> tuple[schemas.ChildCopy, bytes]:
    """Make the copy a locked request asks for; return it, and its bytes, of which the hash is kept.
    Raises PreconditionFailed, PersonRequired, RightsRequestEnded, NoCopyAsked, IdentityNotChecked.
    """
    check_version(row["version"], if_match)
    ACTS["copyChildData"].require(principal, row, tx.today)
    copy = await copying.copy_of(tx, principal, row)
    made = json_of(copy)
    key = (row["id"], row["home_county"])
    await tx.connection.execute(_COPIED, *key, sha256(made).digest(), tx.now, principal.subject)
    return copy, made


_ANSWER: Final = """
UPDATE rights_requests SET state = 'answered', outcome = $3, reason = $4, answer_sealed = $5,
    answered_at = $6, answered_by = $7, held_by_id = $8, version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def answer_request(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.RightsAnswerCreate,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Answer a locked request. What is to be deleted and cannot be, since the law demands keeping
    it or its history, is only stored from now on (PIP-47). Raises PreconditionFailed,
    PersonRequired, RightsRequestEnded, IdentityNotChecked, CopyNotMade.
    """
    check_version(row["version"], if_match)
    ACTS["answerRightsRequest"].require(principal, row, tx.today)
    gives = said.outcome is not RightsOutcome.refused
    if gives and not SEEN.holds(principal, row, tx.today):
        raise SEEN.refusal(principal, row, tx.today)
    wants_copy = row["kind"] in {RightsKind.access, RightsKind.portability}
    if gives and wants_copy and row["copy_sha256"] is None:
        raise CopyNotMade
    of = await child_keys.of(tx, row)
    now = await tx.connection.fetchrow(
        _ANSWER,
        *(row["id"], row["home_county"], said.outcome, said.reason),
        tx.keyring.seal(ANSWER, row["id"], said.words, of),
        *(tx.now, principal.subject, principal.agency_id),
    )
    await events.publish(tx, RightsRequestAnswered(**about(now), outcome=said.outcome))
    granted = said.outcome is RightsOutcome.granted
    if row["kind"] == RightsKind.erasure and (granted or said.reason is RefusalReason.kept_by_law):
        now = await restrict(tx, now)
    return now


__all__ = ["CopyNotMade", "NoCopyAsked", "answer_request", "copy_child_data"]
