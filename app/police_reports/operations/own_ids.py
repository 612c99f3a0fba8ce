"""An id is one thing's. What comes under the id of another is kept under one of its own, which is
made of what was sent: whoever sends it again finds it (ADR 18).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import queries
from app.police_reports.operations.locks import try_name

_KIND: Final = "police_reports.own_id"


def own_id(ring: Keyring, *said: object) -> UUID:
    """Make an id of what was said: the same of the same, and nobody else can make it."""
    index = ring.blind_index(_KIND, "\0".join(map(str, said)))
    return UUID(bytes=index[:16], version=4)


class Known(NamedTuple):
    """By what a report may be known again, under one index key: its content, and the id it came
    under.
    """

    ring: Keyring
    content: bytes
    stated: UUID | None


async def filed_as(
    tx: Tx,
    known: Sequence[Known],
    is_it: Callable[[Mapping[str, Any]], bool],
    *,
    held: bool,
) -> tuple[UUID, Mapping[str, Any] | None]:
    """Return the id of a report, and the report that was filed as this one before, if any: under
    the id stated, else under its own, whichever key made that. No report has the id of zeros, which
    systems write for none. `held`: nobody else files under the id stated meanwhile.
    """
    seen: dict[UUID, Mapping[str, Any] | None] = {}
    free = [await _along(tx, each, is_it, seen) for each in known if each.stated is not None]
    found = next((each for each in free if each[1] is not None), None)
    if found or not free:
        return found or (new_id(), None)
    report_id, newest = free[0][0], known[0]
    if not held and not await try_name(tx, report_id):  # pragma: no cover  taken at this moment
        report_id = own_id(newest.ring, report_id, newest.content.hex())
    return report_id, None


async def _along(
    tx: Tx,
    known: Known,
    is_it: Callable[[Mapping[str, Any]], bool],
    seen: dict[UUID, Mapping[str, Any] | None],
) -> tuple[UUID, Mapping[str, Any] | None]:
    report_id = known.stated or UUID(int=0)
    while True:
        if report_id not in seen:
            seen[report_id] = await queries.find_anywhere(tx, report_id)
        before = seen[report_id]
        if before is not None and is_it(before):
            return report_id, before
        if before is None and report_id.int:
            return report_id, None
        report_id = own_id(known.ring, report_id, known.content.hex())
