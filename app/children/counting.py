"""How many children there are (REG-08: 留守人数).

Up to a county, and for a school, their files are counted. Of a larger place each county was counted
within the hour, and is added up; one that never was is counted now.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from app.access.principal import Principal
from app.children import queries, schemas, search
from app.core.data import distribution, rls
from app.core.data.columns import Instant
from app.core.data.db import NATION, Tx
from app.core.http.wire import region_text
from app.regions.rules import SPANS, counties_in_sql


class ChildrenCount(SQLModel, table=True):
    """How many files of a county are in a category, all if that is empty (`counting`)."""

    __tablename__ = "children_counts"
    county_code: int = Field(sa_type=BigInteger, primary_key=True)
    category: str = Field(primary_key=True)
    children: int
    counted: int
    counted_at: datetime = Field(sa_type=Instant)


distribution.in_one_place("sums of counties, added up for provinces", "children_counts")
rls.allow("children_counts", "SELECT, INSERT, UPDATE, DELETE")

_COUNTY: Final = SPANS[2]
# An index holds all that is read of a child. The row without a category is the sum of all files.
_COUNT: Final = """
SELECT coalesce(g.category, '') AS category, count(*)::int AS children,
       (count(*) FILTER (WHERE g.category = ANY (c.counted)))::int AS counted
FROM {files} CROSS JOIN LATERAL (
    SELECT NULL AS category UNION ALL SELECT UNNEST(c.categories)
) AS g
WHERE {where} GROUP BY 1
"""
_OF_COUNTIES: Final = f"""unnest({{}}::bigint[]) AS u (county) CROSS JOIN LATERAL (
    SELECT * FROM children c
    WHERE c.region_code >= u.county AND c.region_code < u.county + {_COUNTY} OFFSET 0) AS c"""


async def count(
    tx: Tx, principal: Principal, region: tuple[int, int] | None
) -> schemas.ChildrenSummary:
    """Count the children the caller may know of, by category if its role reads those. Raises
    FilterForbidden.
    """
    search.refuse_unreadable(principal, region_code=region)
    where = queries.visible(principal)
    if region is not None:
        where.add("c.region_code >= {} AND c.region_code < {}", *region)
    lo, hi = region or (principal.region_lo, principal.region_hi)
    lo, hi = max(lo, principal.region_lo), min(hi, principal.region_hi)
    counted, files = [], "children c"
    if principal.school_id is None and hi - lo > _COUNTY:
        counted = await tx.connection.fetch(_ADDED_UP, lo, hi)
        found = await tx.connection.fetch(_UNCOUNTED, lo, hi)
        files = _OF_COUNTIES.format(where.bind([row["county"] for row in found]))
    statement = _COUNT.format(files=files, where=where)
    rows = [*counted, *await tx.connection.fetch(statement, *where.arguments)]
    reads = "derived" in principal.role.reads
    return schemas.ChildrenSummary(
        region_code=region_text(region[0] if region else principal.region_code),
        files=sum(row["children"] for row in rows if not row["category"]),
        categories=[
            schemas.CategoryCount(
                category=category,
                children=sum(row["children"] for row in rows if row["category"] == category),
                counted=sum(row["counted"] for row in rows if row["category"] == category),
            )
            for category in sorted({row["category"] for row in rows if row["category"] and reads})
        ],
        as_of=min((row["counted_at"] for row in counted), default=None),
    )


_ADDED_UP: Final = """
SELECT category, sum(children)::int AS children, sum(counted)::int AS counted,
       min(counted_at) AS counted_at
FROM children_counts WHERE county_code >= $1 AND county_code < $2 GROUP BY category
"""
_UNCOUNTED: Final = f"""
SELECT county FROM ({counties_in_sql("children", "$1", "$2")}) AS filed
WHERE NOT EXISTS (SELECT FROM children_counts c WHERE c.county_code = county)
"""

# --- what is counted in advance -------------------------------------------------------------------

_COUNT_COUNTY: Final = f"""
WITH counted AS MATERIALIZED ({
    _COUNT.format(
        files="children c", where=f"c.region_code >= $1 AND c.region_code < $1 + {_COUNTY}"
    )
}), gone AS (
    DELETE FROM children_counts c
    WHERE c.county_code = $1 AND c.category NOT IN (SELECT category FROM counted)
)
INSERT INTO children_counts (county_code, category, children, counted, counted_at)
SELECT $1, n.*, $2 FROM counted n
ON CONFLICT (county_code, category) DO UPDATE
SET children = excluded.children, counted = excluded.counted, counted_at = excluded.counted_at
"""
_EVERYWHERE: Final = ("0", str(NATION[1]))
_COUNTIES: Final = f"""
SELECT county FROM ({counties_in_sql("children", *_EVERYWHERE)}) AS filed
UNION SELECT county_code FROM children_counts WHERE category = ''
"""


async def counties(tx: Tx) -> list[int]:
    """Return the counties in which children live, or did when they were counted last."""
    return [row["county"] for row in await tx.connection.fetch(_COUNTIES)]


async def count_county(tx: Tx, county: int) -> None:
    """Count the files of those who live in a county."""
    await tx.connection.execute(_COUNT_COUNTY, county, tx.now)
