"""Where the child of a report lives: its township has a part beside that of the place."""

from collections.abc import Mapping
from typing import Any

from app.children import queries as children
from app.core.data.db import Tx
from app.regions.rules import NATION, lineage


async def now(tx: Tx, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says of the child's home, if that is not true any more. The home before
    keeps its part: what it has begun is not taken from it.
    """
    child = await children.find_anywhere(tx, report["child_id"]) if report["child_id"] else None
    if child is None or child.region_code == report["home_region"]:
        return {}
    before = lineage(report["home_region"]) if report["home_region"] is not None else ()
    former = {*report["former_homes"], *before} - {NATION}
    return {"home_region": child.region_code, "former_homes": sorted(former)}
