"""Where the child of a report lives: its township has a part beside that of the place."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.children import indexes, residents, sealing
from app.children import queries as children
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.text import canonical_name
from app.police_reports.models import Step
from app.police_reports.operations.hidden import CHAIN
from app.police_reports.schemas.steps import Identification
from app.regions.rules import NATION, lineage

_MEANT: Final = """
WITH meant AS MATERIALIZED (
    SELECT $1::uuid AS id, 0 AS place
    UNION ALL
    SELECT child_id, array_position($2::uuid[], agency_id) FROM child_aliases
    WHERE alias = $1 AND agency_id = ANY ($2)
)
SELECT c.id, c.home_county
FROM meant JOIN children c ON c.id = meant.id ORDER BY meant.place LIMIT 1
"""


async def hold(tx: Tx, child_id: UUID, *, named_by: Sequence[UUID] = ()) -> ChildRef | None:
    """Find a file, whoever may see it, and hold it: a move waits until the report says where the
    child lives, and then finds the report. By its own id, or by one that is another name of it to
    one of these agencies, the first of them first.
    """
    async with tx.as_system():
        meant = await tx.connection.fetch(_MEANT, child_id, named_by)
        held = await children.hold_those(tx, meant)
    return next(iter(held.values()), None)


_LAST_SAID: Final = f"""{CHAIN}
SELECT s.step FROM police_report_steps s JOIN chain ON s.report_id = chain.id
WHERE s.step IN ('identified', 'identification_withdrawn') AND s.agency_id IS NOT NULL
  AND s.codes ->> 'child_id' = $2::uuid::text
ORDER BY s.recorded_at DESC, s.id DESC LIMIT 1
"""


async def taken_off(tx: Tx, report_id: UUID, child_id: UUID) -> bool:
    """Tell whether a person took a report, or one of its chain of corrections, off a file: it does
    not come back to it by itself, only by a person's word.
    """
    async with tx.as_system():
        said = await tx.connection.fetchval(_LAST_SAID, report_id, child_id)
    return bool(said == Step.IDENTIFICATION_WITHDRAWN)


_NUMBER: Final = re.compile("[0-9]{15}|[0-9]{17}[0-9X]")
_BEARING: Final = f"""
SELECT c.id, c.home_county, {sealing.NAMED}
FROM {{}} x JOIN children c ON c.home_county = x.home_county AND c.id = x.child_id
WHERE x.index = ANY ($1::bytea[])
"""


async def known_as(tx: Tx, said: Identification) -> list[ChildRef]:
    """Find the files, wherever they are, that bear a number, in the form in which numbers are
    compared, and the name; and hold them. One look-up by an index, and one a
    county. A number alone finds nothing: whoever tries numbers learns of no child who has a file.
    """
    if said.name is None:
        return []
    if said.student is None:
        number = residents.written(said.resident_id or "")
        is_one = _NUMBER.fullmatch(number)
        sought = {*indexes.resident_indexes(tx.keyring, number)} if is_one else set()
        table = "resident_ids"
    else:
        student = said.student
        sought = indexes.external_spellings(tx.keyring, student.system, student.number)
        table = "child_external_ids"
    async with tx.as_system():
        rows = await tx.connection.fetch(_BEARING.format(table), list(sought))
        name = canonical_name(said.name)
        named = (row for row in rows if name == canonical_name(sealing.named(tx.keyring, row)[0]))
        held = await children.hold_those(tx, named)
    return list(held.values())


def hung_on(child: ChildRef) -> dict[str, Any]:
    """Return what a report says of the file it hangs on."""
    return {
        "child_id": child.id,
        "child_county": child.home_county,
        "home_region": child.region_code,
    }


async def now(tx: Tx, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says of the child's home, if that is not true any more. The home before
    keeps its part: what it has begun is not taken from it.
    """
    child = await hold(tx, report["child_id"]) if report["child_id"] else None
    if child is None or child.region_code == report["home_region"]:
        return {}
    before = lineage(report["home_region"]) if report["home_region"] is not None else ()
    former = {*report["former_homes"], *before} - {NATION}
    return {"home_region": child.region_code, "former_homes": sorted(former)}
