"""How many children there are (REG-08: 留守人数)."""

from typing import Final

from app.access.principal import Principal
from app.children import queries, schemas, search
from app.core.data.db import Tx
from app.core.http.wire import region_text

# An index holds all that is read of a child. The row without a category is the sum of all files.
_COUNT: Final = """
SELECT g.category, count(*) AS children,
       count(*) FILTER (WHERE g.category = ANY (c.counted)) AS counted
FROM children c CROSS JOIN LATERAL (
    SELECT NULL AS category UNION ALL SELECT UNNEST(c.categories)
) AS g
WHERE {where} GROUP BY g.category ORDER BY g.category NULLS FIRST
"""


async def count(
    tx: Tx, principal: Principal, region: tuple[int, int] | None
) -> schemas.ChildrenSummary:
    """Count the children the caller may know of, by category if its role reads those. One
    statement. Raises FilterForbidden.
    """
    search.refuse_unreadable(principal, region_code=region)
    lo, hi = region or (None, None)
    where = queries.visible(principal)
    where.add_given({"c.region_code >= {}": lo, "c.region_code < {}": hi})
    rows = await tx.connection.fetch(_COUNT.format(where=where), *where.arguments)
    of_category = [dict(row) for row in rows if row["category"] is not None]
    return schemas.ChildrenSummary(
        region_code=region_text(lo or principal.region_code),
        files=sum(row["children"] for row in rows if row["category"] is None),
        categories=of_category if "derived" in principal.role.reads else [],
    )
