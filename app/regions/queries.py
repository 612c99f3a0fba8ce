"""Which divisions exist, on which day, and what became of the ones that do not."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from app.core.data.db import Tx

REGION: Final = "code, name, level, parent_code, valid_from, valid_until, successor_code"
_LAST: Final = chr(0x10FFFF)
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


async def read_region(tx: Tx, code: int) -> Any:
    """Return the latest period of a code, or None."""
    return await tx.connection.fetchrow(
        f"SELECT {REGION} FROM regions WHERE code = $1 ORDER BY valid_from DESC LIMIT 1", code
    )


async def list_regions(
    tx: Tx,
    *,
    parent_code: int | None,
    level: str | None,
    name_prefix: str | None,
    after: int,
    limit: int,
) -> list[Any]:
    """Return up to `limit` divisions in force, by code, after one (0: from the start)."""
    # Byte ranges instead of LIKE: a prepared LIKE does not use the index.
    end = None if name_prefix is None else name_prefix + _LAST
    filters = {
        "parent_code =": parent_code,
        "level =": level,
        "name ~>=~": name_prefix,
        "name ~<~": end,
    }
    chosen = {test: value for test, value in filters.items() if value is not None}
    condition = "".join(f" AND {test} ${n}" for n, test in enumerate(chosen, 3))
    rows: list[Any] = await tx.connection.fetch(
        f"SELECT {REGION} FROM regions WHERE valid_until IS NULL AND code > $1{condition}"
        " ORDER BY code LIMIT $2",
        after,
        limit,
        *chosen.values(),
    )
    return rows
