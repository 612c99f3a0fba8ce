"""Reads of the audit trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging

_SELECT: Final = """
SELECT a.id, a.at, a.actor, a.agency_id, a.role, a.region_code, a.purpose, a.operation, a.child_ids,
       a.subject_id, a.field_groups, a.sought, a.since, a.decision, a.rule, a.request_id
FROM audit_entries a"""
_NAMED: Final = "ANY (a.subject_id || a.beside_ids)"
_SHOWN: Final = f"(a.agency_id = {{0}} AND a.decision = 'denied') OR {hiding.shown(_NAMED)}"
_ABOUT: Final = """a.id = ANY (ARRAY(
    SELECT k.entry_id FROM audit_children k WHERE k.child_ids @> ARRAY[{}::uuid]))"""
_NEWEST: Final = paging.Order({"a.at": datetime, "a.id": UUID}, descending=True)


async def entries(
    tx: Tx,
    window: paging.Window,
    *,
    agency_id: UUID,
    served: Sequence[UUID],
    codes: int,
    region: tuple[int, int] | None,
    above: Sequence[int] = (),
    child_id: UUID | None,
    decision: str | None,
) -> paging.Rows:
    """List entries, newest first: those of one agency and, with `region` (half-open range of
    region codes), those of every caller whose remit lies there, and of operators whose remit is a
    place `above` it: they have power over it, and nobody else looks at them. Never about what is
    hidden from that agency, whose remit holds `codes`, or from one that the reader `served` (AZ-8);
    but what it was itself refused stands, as it does of what there is not.
    """
    if region is None:
        where = Where("a.agency_id = {}", agency_id)
    else:
        supervised = (
            "a.agency_id = {} OR (a.region_code >= {} AND a.region_code < {})"
            " OR (a.region_code = ANY ({}::bigint[]) AND a.role = 'operator')"
        )
        where = Where(supervised, agency_id, *region, list(above))
    where.add(_SHOWN, agency_id, codes, served)
    if child_id is not None:
        where.checked().add(_ABOUT, child_id)
    where.add_given({"a.decision = {}": decision})
    return await paging.fetch(tx, _SELECT, where, _NEWEST, window)


_READERS: Final = """
SELECT a.id, a.at, a.actor, a.agency_id, a.role, a.region_code, a.purpose, a.operation,
       a.subject_id, a.field_groups, a.since
FROM audit_entries a"""


async def readers(
    tx: Tx,
    window: paging.Window,
    *,
    child_id: UUID,
    agency_id: UUID,
    served: Sequence[UUID],
    codes: int,
) -> paging.Rows:
    """List who was shown or changed what of one child, of whatever agency, newest first, in
    SYSTEM's reach: the caller is known to look after the child. Never what is hidden from the
    caller's agency (AZ-8), nor what was refused, which showed nothing. The entry itself names the
    child, as its sealed leaf does: the index alone shows nothing (ADR 71).
    """
    where = Where(hiding.shown(_NAMED), agency_id, codes, served)
    where.add("a.decision <> 'denied'").checked().add(_ABOUT, child_id)
    where.add("{}::uuid = ANY (a.child_ids)", child_id)
    return await paging.fetch(tx, _READERS, where, _NEWEST, window)
