"""Reads of files opened in an emergency. Every one starts from `visible`; the file itself is read
in `opened`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.acts import Act, permitted
from app.access.principal import Principal
from app.agencies.models import AgencyKind
from app.break_glass import schemas
from app.break_glass.acts import ACTS
from app.break_glass.models import REASON, WORDS
from app.children import sealing
from app.children.child_keys import KEY_OF_FILE
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.keys import text_of
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text
from app.regions.rules import SPANS

# By the clock of the database, whatever a web process takes the time to be (REL-8).
_SELECT: Final = """
SELECT b.* FROM (
    SELECT g.*, coalesce(g.ended_at, g.ends_at) > statement_timestamp() AS live FROM break_glass g
) b"""
_UNREVIEWED_FIRST: Final = paging.Order(
    {"b.waits": bool, "b.opened_at": datetime, "b.id": UUID}, descending=True
)
_COUNTY: Final = SPANS[2]
"""Codes that the remit of a county holds."""


def visible(principal: Principal) -> Where:
    """Limit `b` to what people of the caller's agency opened and, for who looks after the children
    of a region or supervises it, to what was opened of these; never to what whoever is hidden from
    must learn (AZ-8).
    """
    where = _unhidden(principal)
    return where.add(" OR ".join(f"({arm})" for arm in _arms(where, principal)))


def _unhidden(principal: Principal) -> Where:
    codes = principal.region_hi - principal.region_lo
    return Where(hiding.row_shown("b"), principal.agency_id, codes, principal.agencies)


def _arms(where: Where, principal: Principal) -> list[str]:
    """Say in what ways one may be the caller's to know: of each an index has those in order."""
    arms = [f"b.agency_id = {where.bind(principal.agency_id)}"]
    if principal.role.relation == "region" or principal.agency_kind == AgencyKind.supervision:
        lo, hi = where.bind(principal.region_lo), where.bind(principal.region_hi)
        arms.append(f"b.region_code >= {lo} AND b.region_code < {hi}")
    return arms


async def find(
    tx: Tx, principal: Principal, glass_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find one the caller may know of; hold it `for_update`, with its county: then two
    statements.
    """
    where = visible(principal).add("b.id = {}", glass_id)
    found = await tx.connection.fetchrow(f"{_SELECT} WHERE {where}", *where.arguments)
    if found is None or not for_update:
        return found
    where.add("b.home_county = {}", found["home_county"])
    held = f"{_SELECT} WHERE {where} FOR UPDATE OF b"
    return await tx.connection.fetchrow(held, *where.arguments)


async def list_break_glass(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    child_id: UUID | None,
    waits: bool | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page: what nobody reviewed first, newest first."""
    where, arms = visible(principal).checked(), list[str]()
    if child_id is None:
        where = _unhidden(principal)
        arms = _arms(where, principal)
    where.add_given({"b.child_id = {}": child_id, "b.waits = {}": waits})
    if act is not None:
        act.narrow(where, principal, tx.today, alias="b")
    return await paging.fetch(tx, _SELECT, where, _UNREVIEWED_FIRST, window, arms)


def shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.BreakGlass:
    """Show a row as the caller is shown it. Words are for who opened it and who reviews: they may
    tell whom somebody suspects, and that is nobody's in the village.
    """
    above = principal.region_hi - principal.region_lo >= _COUNTY
    told = principal.agency_id == row["agency_id"] or above

    def words(place: str, column: str) -> str | None:
        return text_of(tx.keyring, place, row["id"], row[column]) if told else None

    review = None
    if row["verdict"] is not None:
        review = schemas.BreakGlassVerdict(
            **{name: row[name] for name in ("verdict", "reviewed_at", "reviewer_id")},
            words=words(WORDS, "words_sealed"),
        )
    return schemas.BreakGlass(
        **{name: row[name] for name in _PLAIN},
        region_code=region_text(row["region_code"]),
        asked_from=region_text(row["asked_from"]),
        reason=words(REASON, "reason_sealed"),
        review=review,
        permitted=permitted(ACTS, principal, row, tx.today),
    )


_PLAIN: Final = (
    *("id", "child_id", "staff_id", "agency_id", "role", "field_groups"),
    *("opened_at", "ends_at", "ended_at", "live", "stored_alone", "version"),
)


@asynccontextmanager
async def opened(tx: Tx, child_id: UUID) -> AsyncIterator[None]:
    """Let row-level security show one more child, whoever asks: inside, and no longer. No list or
    search asks for a child that is not of the caller's range, and their counts neither; nothing
    below the child opens.
    """
    await tx.connection.execute(_OPEN, str(child_id))
    yield  # on an exception the whole transaction goes, and the setting with it
    await tx.connection.execute(_OPEN, "")


_OPEN: Final = "SELECT set_config('tonghu.opened', $1, true)"


async def file(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Read the sections that were opened of a child's file, wherever it lies. Three statements."""
    groups = row["field_groups"]
    columns = [f"c.{column}" for group in groups for column in sealing.columns_of(group)]
    async with opened(tx, row["child_id"]):
        found = await tx.connection.fetchrow(
            f"SELECT {', '.join(('c.id', KEY_OF_FILE, *columns))} FROM children c"
            " WHERE c.id = $1 AND c.home_county = $2",
            row["child_id"],
            row["home_county"],
        )
    sections = {group: sealing.show(tx.keyring, found, group) for group in groups}
    about = {name: row[name] for name in ("id", "child_id", "ends_at")}
    return {**about, **sections}
