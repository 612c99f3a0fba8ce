"""Which divisions exist, on which day, and what became of the ones that do not."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.regions.rules import SPANS

REGION: Final = "code, name, level, parent_code, valid_from, valid_until, successor_code"
_LAST: Final = chr(0x10FFFF)
_HOLDS = "valid_from <= ${0}::date AND (valid_until IS NULL OR valid_until >= ${0}::date)"

_CURRENT = f"""
WITH RECURSIVE line AS (
    SELECT $1::bigint AS code, 0 AS steps
    UNION
    SELECT r.successor_code, line.steps + 1 FROM line JOIN regions r ON r.code = line.code
    WHERE r.successor_code IS NOT NULL AND r.valid_until < $2::date AND line.steps < 20
)
SELECT line.code FROM line JOIN regions r ON r.code = line.code AND {_HOLDS.format(2)}
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
    """Return the code that stands for a division on that day: itself while it holds, else the first
    successor that does. None if the code is unknown or was abolished without a successor.
    """
    found: int | None = await tx.connection.fetchval(_CURRENT, code, on)
    return found


_NEAREST: Final = f"""
WITH RECURSIVE line AS (
    SELECT code, above, 0 AS steps FROM unnest($1::bigint[]) WITH ORDINALITY AS up (code, above)
    UNION
    SELECT r.successor_code, line.above, line.steps + 1
    FROM line JOIN regions r ON r.code = line.code
    WHERE r.successor_code IS NOT NULL AND r.valid_until < $2::date AND line.steps < 20
)
SELECT line.code, line.above FROM line JOIN regions r ON r.code = line.code AND {_HOLDS.format(2)}
ORDER BY line.above, line.steps LIMIT 1
"""


async def nearest(tx: Tx, code: int, on: date) -> tuple[int, bool] | None:
    """Return the code that stands on that day for the place, or else for the nearest above it that
    was ever one, and whether it is the place itself. None if not even the province exists.
    """
    row = await tx.connection.fetchrow(_NEAREST, [code - code % span for span in SPANS], on)
    return None if row is None else (row["code"], row["above"] == 1)


async def read_region(tx: Tx, code: int) -> Any:
    """Return the latest period of a code, or None."""
    return await tx.connection.fetchrow(
        f"SELECT {REGION} FROM regions WHERE code = $1 ORDER BY valid_from DESC LIMIT 1", code
    )


_BY_CODE: Final = paging.Order({"code": int})


async def list_regions(
    tx: Tx,
    window: paging.Window,
    *,
    parent_code: int | None,
    level: str | None,
    name_prefix: str | None,
) -> paging.Rows:
    """Return a page of the divisions in force, by code."""
    # Byte ranges instead of LIKE: a prepared LIKE does not use the index.
    where = Where("valid_until IS NULL").add_given(
        {
            "parent_code = {}": parent_code,
            "level = {}": level,
            "name ~>=~ {}": name_prefix,
            "name ~<~ {}": None if name_prefix is None else name_prefix + _LAST,
        }
    )
    return await paging.fetch(tx, f"SELECT {REGION} FROM regions", where, _BY_CODE, window)
