"""What is doubted of where a child was (`presence`): reads, and what a named person found."""

from typing import Final
from uuid import UUID

import asyncpg

from app.access.acts import Act
from app.access.principal import Principal
from app.attendance import schemas
from app.attendance.acts import PRESENCE_ACTS
from app.attendance.events import PresenceVerified, about
from app.children import child_keys
from app.children.queries import visible_below
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.jobs import events


def _visible(principal: Principal) -> Where:
    where = visible_below(principal, "d")
    own = ("asked_id", "overseer_id") if principal.school_id is None else ("school_id",)
    either = " OR ".join(f"d.{column} = {{0}}" for column in own)  # an index each
    where.or_else(either, principal.agency_id)
    codes = principal.region_hi - principal.region_lo
    return where.add(_SHOWN, principal.agency_id, codes, principal.agencies)


_SHOWN: Final = hiding.shown("d.id")


async def find(
    tx: Tx, principal: Principal, doubt_id: UUID, *, lock: bool = False
) -> asyncpg.Record | None:
    """Find a doubt about a child the caller sees, or about what their own school said, or one they
    oversee. One statement, two to `lock` it: with its county.
    """
    where = _visible(principal).add("d.id = {}", doubt_id)
    found = await tx.connection.fetchrow(f"{_FIND} WHERE {where}", *where.arguments)
    if found is None or not lock:
        return found
    where.add("d.home_county = {}", found["home_county"])
    return await tx.connection.fetchrow(f"{_FIND} WHERE {where} FOR UPDATE OF d", *where.arguments)


_FIND: Final = "SELECT d.* FROM presence_doubts d"


_NEWEST: Final = paging.Order({"d.id": UUID}, descending=True)


async def page(
    tx: Tx, principal: Principal, window: paging.Window, *, act: Act | None
) -> paging.Rows:
    """List doubts the caller sees, newest first. One statement."""
    where = _visible(principal)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="d")
    return await paging.fetch(tx, "SELECT d.* FROM presence_doubts d", where, _NEWEST, window)


async def record_finding(
    tx: Tx, principal: Principal, doubt: asyncpg.Record, new: schemas.PresenceFindingCreate
) -> asyncpg.Record:
    """Keep, of a locked doubt, what a named person of the school found, or of who is asked."""
    PRESENCE_ACTS["recordPresenceFinding"].require(principal, doubt, tx.today)
    of = await child_keys.of(tx, doubt)
    sealed = tx.keyring.seal("presence_doubts.note_sealed", doubt["id"], new.note, of)
    row = await tx.connection.fetchrow(
        "UPDATE presence_doubts SET finding = $3, note_sealed = $4, found_by = $5, found_at = $6"
        " WHERE home_county = $1 AND id = $2 RETURNING *",
        doubt["home_county"],
        doubt["id"],
        new.finding,
        sealed,
        principal.subject,
        tx.now,
    )
    await events.publish(tx, PresenceVerified(**about(doubt), finding=new.finding))
    return row
