"""Which divisions exist, on which day, and what became of the ones that do not."""

from collections.abc import Iterable
from datetime import date

from app.core.db import Tx

_HOLDS = "valid_from <= ${0}::date AND (valid_until IS NULL OR valid_until >= ${0}::date)"

_CURRENT = f"""
WITH RECURSIVE line AS (
    SELECT $1::bigint AS code, 0 AS steps
    UNION
    SELECT r.successor_code, line.steps + 1
    FROM line JOIN regions r ON r.code = line.code
    WHERE r.successor_code IS NOT NULL AND r.valid_until < $2::date AND line.steps < 20
)
SELECT line.code FROM line
JOIN regions r ON r.code = line.code AND {_HOLDS.format(2)}
ORDER BY line.steps LIMIT 1
"""


async def known(tx: Tx, codes: Iterable[int], on: date) -> set[int]:
    """Return those of the 12-digit codes that are divisions on that day. One statement."""
    rows = await tx.connection.fetch(
        f"SELECT DISTINCT code FROM regions WHERE code = ANY($1::bigint[]) AND {_HOLDS.format(2)}",
        list(set(codes)),
        on,
    )
    return {row["code"] for row in rows}


async def current(tx: Tx, code: int, on: date) -> int | None:
    """Return the code that stands for a division on that day: itself while it
    holds, else the first successor that does.

    None if the code is unknown or was abolished without a successor.
    """
    found: int | None = await tx.connection.fetchval(_CURRENT, code, on)
    return found
