"""How much is asked of an office."""

import asyncpg

from app.access.principal import Principal
from app.core.data.db import Tx
from app.unresolved.queries import visible


async def unanswered(
    tx: Tx, principal: Principal, role: str, span: tuple[int, int], *, most: int
) -> asyncpg.Record:
    """Count what is asked of a role in a place: what of it the caller may know."""
    where = visible(principal).add("u.state = 'open' AND u.owner_role = {}", role)
    where.add("u.region_code >= {} AND u.region_code < {}", *span)
    late = where.bind(tx.now)
    return await tx.connection.fetchrow(
        "SELECT count(*) AS open, count(*) FILTER (WHERE o.late) AS overdue FROM ("
        f"SELECT u.due_at <= {late} AS late FROM unresolved u WHERE {where} LIMIT {most}) o",
        *where.arguments,
    )
