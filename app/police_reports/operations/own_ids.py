"""An id is one thing's. What comes under the id of another is kept under one of its own, which is
made of what was sent: whoever sends it again finds it (ADR 18).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import queries
from app.police_reports.operations.locks import try_name

_KIND: Final = "police_reports.own_id"


def own_id(tx: Tx, *said: object) -> UUID:
    """Make an id of what was said: the same of the same, and nobody else can make it."""
    index = tx.keyring.blind_index(_KIND, "\0".join(map(str, said)))
    return UUID(bytes=index[:16], version=4)


async def filed_as(
    tx: Tx,
    stated: UUID | None,
    content: bytes,
    is_it: Callable[[Mapping[str, Any]], bool],
    *,
    held: bool,
) -> tuple[UUID, Mapping[str, Any] | None]:
    """Return the id of a report, and the report that was filed as this one before, if any: under
    the id stated, else under its own. No report has the id of zeros, which systems write for none.
    `held`: nobody else files under the id stated meanwhile.
    """
    if stated is None:
        return new_id(), None
    report_id = stated
    while (before := await queries.find_anywhere(tx, report_id)) is not None or not report_id.int:
        if before is not None and is_it(before):
            return report_id, before
        report_id = own_id(tx, report_id, content.hex())
    if not held and not await try_name(tx, report_id):  # pragma: no cover  taken at this moment
        report_id = own_id(tx, report_id, content.hex())
    return report_id, None
