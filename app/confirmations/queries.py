"""Reads of confirmations. Every one starts from the children the caller may know of."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.access.roles import FIELD_GROUPS, roles
from app.children import queries as children
from app.confirmations import schemas
from app.core.data.db import Tx
from app.core.data.envelopes import Erased
from app.core.http import paging
from app.core.http.wire import region_text

AS_SENT: Final = "confirmations.as_sent_sealed"
_LATEST: Final = paging.Order({"n.confirmed_on": date, "n.id": UUID}, descending=True)


async def list_confirmations(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    child_id: UUID | None,
    region: tuple[int, int] | None = None,
) -> paging.Rows:
    """Return a page of the confirmations of visible children's files, latest first."""
    where = children.visible_below(principal, "n")
    if child_id is not None:
        where.checked().add("n.child_id = {}", child_id)
    if region is not None:
        where.add("n.region_code >= {} AND n.region_code < {}", *region)
    return await paging.fetch(tx, "SELECT n.* FROM confirmations n", where, _LATEST, window)


def confirmation_of(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.Confirmation:
    """Read a row: its own agency reads all of it, others what their role reads of a file."""
    own, reads = row["agency_id"] == principal.agency_id, principal.role.reads
    named = {
        name: [each for each in row[name] if own or each in reads]
        for name in ("changed", "differs")
    }
    said = {**{name: row[name] for name in _PLAIN}, **named}
    as_much = own or _reads_of(row["as_role"]) <= reads
    sealed = row["as_sent_sealed"] if as_much else None
    as_sent = None
    with suppress(Erased):
        as_sent = sealed and orjson.loads(tx.keyring.unseal(AS_SENT, row["id"], sealed))
    place = region_text(row["received_in"])
    return schemas.Confirmation(**said, as_sent=as_sent, region_code=place)


def _reads_of(role_code: str | None) -> frozenset[str]:
    author = roles().get(role_code or "")
    return frozenset(FIELD_GROUPS if author is None else author.reads)


_PLAIN: Final = tuple(schemas.Confirmation.model_fields.keys() - {"region_code", "as_sent"})
