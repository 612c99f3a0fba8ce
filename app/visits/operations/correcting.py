"""Correcting visits; an abnormal finding is taken away by two people."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.http.preconditions import check_version
from app.visits import queries, rules, schemas
from app.visits.acts import ACTS, FindingStays
from app.visits.operations.storing import change


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
    found = queries.found(tx, row)
    if rules.takes_away(found, changes.get("findings", found)):
        raise FindingStays
    if row["seen"]:
        return (await change(tx, principal, row, changes))[1]
    async with tx.as_system():
        _, visit = await change(tx, principal, row, changes)
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
    of, words = of_child(row["child_id"]), orjson.dumps(said.model_dump())
    sealed = tx.keyring.seal(queries.WITHDRAWAL, row["id"], words, of)
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
    _, visit = await change(tx, principal, row, {"findings": findings}, **confirmed)
    return visit
