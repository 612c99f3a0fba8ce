"""Reads of breaches. Every one starts from `visible`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.acts import Act, permitted, permitted_by_two
from app.access.principal import Principal
from app.breaches import schemas
from app.breaches.acts import ACTS, OF_FAMILIES
from app.breaches.models import CLOSURE, MEASURES, WHAT, BreachState, ToldOfBreach
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text

_NEWEST: Final = paging.Order({"b.found_at": datetime, "b.id": UUID}, descending=True)
_FIND: Final = "SELECT b.* FROM breaches b"


def visible(principal: Principal) -> Where:
    """Limit `breaches b` to those of the caller's agency and of its region."""
    where = Where("b.agency_id = {}", principal.agency_id)
    span = (principal.region_lo, principal.region_hi)
    return where.or_else("b.region_code >= {} AND b.region_code < {}", *span)


async def find(
    tx: Tx, principal: Principal, breach_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one the caller may know of; hold it `for_update`."""
    where = visible(principal).checked().add("b.id = {}", breach_id)
    held = " FOR UPDATE" if for_update else ""
    return await tx.connection.fetchrow(f"{_FIND} WHERE {where}{held}", *where.arguments)


async def list_breaches(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    state: BreachState | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page, newest first."""
    where = visible(principal).add_given({"b.state = {}": state})
    if act is not None:
        act.narrow(where, principal, tx.today, alias="b")
    return await paging.fetch(tx, _FIND, where, _NEWEST, window)


def told_of(row: Mapping[str, Any]) -> list[schemas.BreachTold]:
    """Return who was told."""
    said = row["told"]
    loaded = orjson.loads(said) if isinstance(said, str) else said
    return [schemas.BreachTold(**each) for each in loaded]


def late(row: Mapping[str, Any], now: datetime) -> list[ToldOfBreach]:
    """Return who should have been told of a breach by now and was not; nobody of one closed."""
    told = {each.whom for each in told_of(row)}
    owed = []
    if row["report_due_at"] <= now and ToldOfBreach.cyberspace_authority not in told:
        owed.append(ToldOfBreach.cyberspace_authority)
    if row["tell_due_at"] <= now and not told & OF_FAMILIES:
        owed.append(ToldOfBreach.families)
    return owed if row["state"] == BreachState.open else []


def breach_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Breach:
    """Read a row, with what is sealed in it."""

    def words(place: str, column: str) -> str:
        return tx.keyring.unseal(place, row["id"], row[column])

    closure = None
    if row["closed_at"] is not None:
        said = {name: row[name] for name in ("closed_at", "closed_by")}
        closure = schemas.BreachClosed(**said, words=words(CLOSURE, "closure_sealed"))
    return schemas.Breach(
        **{name: row[name] for name in _PLAIN},
        region_code=region_text(row["region_code"]),
        what=words(WHAT, "what_sealed"),
        measures=words(MEASURES, "measures_sealed"),
        told=told_of(row),
        late=late(row, tx.now),
        closure=closure,
        permitted=permitted(ACTS, principal, row, tx.today),
        permitted_by_two=permitted_by_two(ACTS, principal, row, tx.today),
    )


_PLAIN: Final = (
    *("id", "agency_id", "kind", "found_at", "began_at", "ended_at", "children"),
    *("report_due_at", "tell_due_at", "state", "recorded_by", "recorded_at", "version"),
)
