"""A duty is waived: one person proposes it for a reason, another approves. Neither owes it. Until
then either may drop it: it is taken back, or refused.
"""

from typing import Any, Final

import asyncpg

from app.access.principal import Principal
from app.agencies.queries import lineage_in_sql
from app.children import child_keys
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events
from app.duties import schemas
from app.duties.acts import ACTS, OwnDuty
from app.duties.events import DutyWaived, DutyWaiverProposed, DutyWaiverWithdrawn
from app.duties.models import REASON

# Who held the post that owes it since it is owed is who owes it, in whatever role they come; be it
# empty by now, so that another owes it.
_OWES: Final = f"""
SELECT EXISTS (
    SELECT FROM post_holdings h JOIN posts p ON p.id = h.post_id
    WHERE h.staff_id = ANY ($1::uuid[]) AND h.since <= $2 AND (h.until IS NULL OR h.until > $6)
        AND CASE WHEN $5::uuid IS NULL
            THEN p.role = ANY ($3::text[]) AND p.region_code IN ({lineage_in_sql("$4::bigint")})
            ELSE p.agency_id = $5 END)
"""
_PROPOSE: Final = """
UPDATE duties SET waiver_at = $3, waiver_by = $4, waiver_staff_id = $5, waiver_reason_sealed = $6,
    version = version + 1
WHERE home_county = $1 AND id = $2 RETURNING *, state AS stands
"""
_APPROVE: Final = """
UPDATE duties SET state = 'waived', waived_at = $3, waived_by = $4, escalates_at = NULL,
    version = version + 1
WHERE home_county = $1 AND id = $2 RETURNING *, state AS stands
"""


_WITHDRAW: Final = """
UPDATE duties SET waiver_at = NULL, waiver_by = NULL, waiver_staff_id = NULL,
    waiver_reason_sealed = NULL, version = version + 1
WHERE home_county = $1 AND id = $2 RETURNING *, state AS stands
"""


async def propose_waiver(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    new: schemas.DutyWaiverCreate,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Propose, as one person, that a locked duty need not be done. Raises PreconditionFailed,
    NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverProposed.
    """
    await _check(tx, principal, row, "proposeWaiver", if_match)
    of = None if row["child_id"] is None else await child_keys.of(tx, row)
    sealed = tx.keyring.seal(REASON, row["id"], new.reason, of)
    by = (tx.now, principal.subject, principal.staff_id, sealed)
    return await _changed(tx, row, DutyWaiverProposed, _PROPOSE, *by)


async def approve_waiver(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """Agree, as another person, that a locked duty need not be done: it ends. Raises
    PreconditionFailed, NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverNotProposed,
    ProposedByYou.
    """
    await _check(tx, principal, row, "approveWaiver", if_match)
    return await _changed(tx, row, DutyWaived, _APPROVE, tx.now, principal.subject)


async def withdraw_waiver(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """Say that a locked duty is owed as before, whoever proposed otherwise.

    Raises PreconditionFailed, NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverNotProposed.
    """
    await _check(tx, principal, row, "withdrawWaiver", if_match)
    return await _changed(tx, row, DutyWaiverWithdrawn, _WITHDRAW)


async def _check(
    tx: Tx, principal: Principal, row: asyncpg.Record, act: str, if_match: int
) -> None:
    check_version(row["version"], if_match)
    ACTS[act].require(principal, row, tx.today)
    owed_by = [row["bearer_role"], row["stands_in_for"]]
    owes = (owed_by, row["region_code"], row["bearer_agency_id"])
    persons = [principal.staff_id, row["waiver_staff_id"]]
    since = local_date(row["opened_at"])
    if await tx.connection.fetchval(_OWES, persons, tx.today, *owes, since):
        raise OwnDuty


async def _changed(
    tx: Tx,
    row: asyncpg.Record,
    kind: type[DutyWaived | DutyWaiverWithdrawn | DutyWaiverProposed],
    statement: str,
    *by: Any,
) -> asyncpg.Record:
    async with tx.as_system():
        now = await tx.connection.fetchrow(statement, row["home_county"], row["id"], *by)
    about = {name: now[name] for name in ("rule", "child_id", "home_county", "region_code")}
    owed_by = {"bearer_role": now["bearer_role"], "agency_id": now["bearer_agency_id"]}
    told = {"subject_id": now["id"], "told_to": now["told_to"]}
    await events.publish(tx, kind(**about, **owed_by, **told))
    return now
