"""Reads of requests about a child's data. Every one starts from `visible`."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.children import queries as children
from app.consents import grounds
from app.core.data.db import Tx
from app.core.data.envelopes import ERASED, Erased
from app.core.data.keys import text_of
from app.core.data.sql import Where
from app.core.http import paging
from app.regions import queries as regions
from app.rights import schemas
from app.rights.acts import ACTS
from app.rights.models import ANSWER, ASKED, RightsKind, RightsState

_NEWEST: Final = paging.Order({"r.opened_at": datetime, "r.id": UUID}, descending=True)
_FIND: Final = "SELECT r.* FROM rights_requests r"


class Filters(NamedTuple):
    """What a list is narrowed to; None means any."""

    child_id: UUID | None = None
    kind: RightsKind | None = None
    state: RightsState | None = None
    overdue: bool | None = None
    region: tuple[int, int] | None = None


def visible(principal: Principal) -> Where:
    """Limit `rights_requests r` to those of the children the caller may know of, and those that
    the caller's agency answered.
    """
    where = children.visible_below(principal, "r")
    return where.or_else("r.held_by_id = {}", principal.agency_id)


async def find(
    tx: Tx, principal: Principal, request_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one the caller may know of; hold it `for_update`, with its county: two statements."""
    where = visible(principal).checked().add("r.id = {}", request_id)
    found = await tx.connection.fetchrow(f"{_FIND} WHERE {where}", *where.arguments)
    if found is None or not for_update:
        return found
    where.add("r.home_county = {}", found["home_county"])
    return await tx.connection.fetchrow(f"{_FIND} WHERE {where} FOR UPDATE", *where.arguments)


async def list_requests(
    tx: Tx, principal: Principal, window: paging.Window, filters: Filters, act: Act | None
) -> paging.Rows:
    """Return a page, newest first."""
    where = visible(principal)
    if filters.child_id is not None:
        where.checked().add("r.child_id = {}", filters.child_id)
    where.add_given({"r.kind = {}": filters.kind, "r.state = {}": filters.state})
    if filters.overdue is not None:
        late = "r.state = 'open' AND r.due_at <= {}"
        where.add(late if filters.overdue else f"NOT ({late})", tx.now)
    if filters.region is not None:
        where.add("r.region_code >= {} AND r.region_code < {}", *filters.region)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="r")
    return await paging.fetch(tx, _FIND, where, _NEWEST, window)


def request_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.RightsRequest:
    """Read a row, with what is sealed in it (its key is open), as the caller is shown it."""
    asked = {"name": ERASED, "relation": None, "contact": None, "words": ERASED}
    with suppress(Erased):
        asked = orjson.loads(tx.keyring.unseal(ASKED, row["id"], row["asked_sealed"]))
    answer = None
    if row["answered_at"] is not None:
        told = grounds.rights()
        answer = schemas.RightsAnswer(
            **{name: row[name] for name in ("outcome", "reason", "answered_at", "answered_by")},
            words=text_of(tx.keyring, ANSWER, row["id"], row["answer_sealed"]),
            complain_to_zh=told.zh,
            complain_to_en=told.en,
        )
    made = row["copy_sha256"]
    return schemas.RightsRequest(
        **{name: row[name] for name in _PLAIN},
        asked=schemas.RightsAsked(**asked),
        overdue=row["state"] == RightsState.open and row["due_at"] <= tx.now,
        copy_sha256=None if made is None else made.hex(),
        answer=answer,
        permitted=permitted(ACTS, principal, row, tx.today),
    )


_PLAIN: Final = (
    *("id", "child_id", "kind", "asked_by", "identity_check", "received_on", "agency_id"),
    *("opened_at", "due_at", "state", "copied_at", "restricted_at", "restriction_ended_at"),
    *("erased_at", "version"),
)


_LAY: Final = """
SELECT restricted_from FROM rights_requests
WHERE child_id = $1 AND home_county = $2 AND restricted_at IS NOT NULL
    AND restriction_ended_at IS NULL
"""


async def restricted_from(tx: Tx, child: children.ChildRef) -> int | None:
    """Return where a child's file lay before it was restricted, by the code of now, if it is. In
    SYSTEM's reach.
    """
    lay: int | None = await tx.connection.fetchval(_LAY, child.id, child.home_county)
    return None if lay is None else await regions.current(tx, lay, tx.today) or lay
