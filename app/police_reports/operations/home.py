"""Where the child of a report lives: its township has a part beside that of the place."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.regions.rules import NATION, lineage

_HELD: Final = """
SELECT id, home_county, region_code, school_id FROM children WHERE id = $1 FOR SHARE
"""


async def hold(tx: Tx, child_id: UUID) -> ChildRef | None:
    """Find a file, whoever may see it, and hold it: a move waits until the report says where the
    child lives, and then finds the report.
    """
    async with tx.as_system():
        row = await tx.connection.fetchrow(_HELD, child_id)
    return None if row is None else ChildRef(**row)


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
