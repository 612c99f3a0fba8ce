"""Recording breaches, and who was told."""

from datetime import date, datetime, timedelta
from typing import Final

import asyncpg
import orjson

from app.access.principal import Principal
from app.breaches import queries, schemas
from app.breaches.acts import ACTS, OF_FAMILIES, BreachNotTold
from app.breaches.models import CLOSURE, MEASURES, WHAT
from app.core.clock import beginning, local_date
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.ids import new_id
from app.core.problems import Problem
from app.policy import queries as policy
from app.policy.rules import ParameterMissing

_minutes: Final = policy.lookup("breach.report_within_minutes")
_days: Final = policy.lookup("breach.tell_within_days")
_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of who says it may be ahead."""


class BreachInvalid(Problem, status=422):
    """It cannot have been so."""

    title = "This cannot have been so"
    title_zh = "事件信息有误"


_RECORD: Final = """
INSERT INTO breaches (id, agency_id, region_code, kind, found_at, began_at, ended_at, children,
    what_sealed, measures_sealed, report_due_at, tell_due_at, state, recorded_by, recorded_at,
    version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'open', $13, $14, 1) RETURNING *
"""


async def record_breach(tx: Tx, principal: Principal, new: schemas.BreachCreate) -> asyncpg.Record:
    """Record a breach, as the caller's agency's. Raises BreachInvalid."""
    found_at = _past("#/found_at", new.found_at, tx.now)
    place, breach_id = principal.region_code, new_id()
    day = local_date(found_at)
    minutes, days = _owed(place, day, tx.today)
    return await tx.connection.fetchrow(
        _RECORD,
        *(breach_id, principal.agency_id, place, new.kind, found_at, new.began_at, new.ended_at),
        new.children,
        tx.keyring.seal(WHAT, breach_id, new.what),
        tx.keyring.seal(MEASURES, breach_id, new.measures),
        found_at + timedelta(minutes=minutes),
        beginning(day + timedelta(days=days + 1)),
        *(principal.subject, tx.now),
    )


def _owed(place: int, found_on: date, today: date) -> tuple[int, int]:
    """Return in how many minutes and days it is to be told by the law of the day; of before there
    was one, by that of today.
    """
    try:
        return int(_minutes(place, found_on)), int(_days(place, found_on))
    except ParameterMissing:
        return int(_minutes(place, today)), int(_days(place, today))


_TOLD: Final = """
UPDATE breaches SET told = told || $2::jsonb, version = version + 1 WHERE id = $1 RETURNING *
"""


async def record_told(
    tx: Tx,
    principal: Principal,
    row: asyncpg.Record,
    said: schemas.BreachToldCreate,
    *,
    if_match: int,
) -> asyncpg.Record:
    """Keep that somebody was told of a locked breach. Raises PreconditionFailed, NotYourBreach,
    BreachClosed, BreachInvalid.
    """
    check_version(row["version"], if_match)
    ACTS["recordBreachTold"].require(principal, row, tx.today)
    told = {
        "whom": said.whom,
        "told_at": _past("#/told_at", said.told_at, tx.now),
        "number": said.number,
        "recorded_by": principal.subject,
    }
    return await tx.connection.fetchrow(_TOLD, row["id"], orjson.dumps([told]).decode())


_CLOSE: Final = """
UPDATE breaches SET state = 'closed', closed_at = $2, closed_by = $3, closure_sealed = $4,
    version = version + 1
WHERE id = $1 RETURNING *
"""


async def close_breach(
    tx: Tx, principal: Principal, row: asyncpg.Record, said: schemas.BreachClosure, *, if_match: int
) -> asyncpg.Record:
    """Close a locked breach, as a person, once who is to be told was. Raises PreconditionFailed,
    PersonRequired, NotYourBreach, BreachClosed, BreachNotTold.
    """
    check_version(row["version"], if_match)
    ACTS["closeBreach"].require(principal, row, tx.today)
    told = {each.whom for each in queries.told_of(row)}
    if not said.harmless and not told & OF_FAMILIES:
        raise BreachNotTold
    sealed = tx.keyring.seal(CLOSURE, row["id"], said.words)
    return await tx.connection.fetchrow(_CLOSE, row["id"], tx.now, principal.subject, sealed)


def _past(place: str, at: datetime | None, now: datetime) -> datetime:
    if at is not None and at > now + _AHEAD:
        raise BreachInvalid.at(place, "moment_in_future", "The moment has not come.")
    return at or now
