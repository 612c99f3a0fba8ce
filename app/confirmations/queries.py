"""Reads of confirmations. Every one starts from the children the caller may know of."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.children import queries as children
from app.confirmations import schemas
from app.core.data.db import Tx
from app.core.http import paging
from app.core.http.wire import region_text

_LATEST: Final = paging.Order({"n.confirmed_on": date, "n.id": UUID}, descending=True)


async def list_confirmations(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    child_id: UUID | None,
    region: tuple[int, int] | None = None,
) -> paging.Rows:
    """Return a page of the confirmations of visible children's files, latest first."""
    where = children.visible_below(principal, "n").add_given({"n.child_id = {}": child_id})
    if region is not None:
        where.add("n.region_code >= {} AND n.region_code < {}", *region)
    return await paging.fetch(tx, "SELECT n.* FROM confirmations n", where, _LATEST, window)


def confirmation_of(row: Mapping[str, Any]) -> schemas.Confirmation:
    """Read a row."""
    said = {name: row[name] for name in _PLAIN}
    return schemas.Confirmation(**said, region_code=region_text(row["received_in"]))


_PLAIN: Final = tuple(schemas.Confirmation.model_fields.keys() - {"region_code"})
