"""Statements put together from parts, each with the values it binds."""

from collections.abc import Mapping
from typing import Any, Final, Self

import asyncpg


async def insert(
    connection: asyncpg.Connection,
    table: str,
    values: Mapping[str, Any],
    *,
    unless_taken: bool = False,
) -> bool:
    """Insert a row, by column. `unless_taken`: leave a row in its way, and return False."""
    places = ", ".join(f"${place}" for place, _ in enumerate(values, 1))
    otherwise = " ON CONFLICT DO NOTHING" if unless_taken else ""
    statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places}){otherwise}"
    return bool(await connection.execute(statement, *values.values()) == "INSERT 0 1")


async def about(connection: asyncpg.Connection, table: str) -> int:
    """Return about how many rows a table has, by the last time PostgreSQL counted."""
    found: int = await connection.fetchval(_ABOUT, table)
    return found


_ABOUT: Final = """
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
WHERE c.relkind = 'r' AND (c.oid = $1::text::regclass OR c.oid IN (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::text::regclass))
"""


class Where:
    """Conditions that must all hold, and the arguments they bind, numbered as they come.

        where = Where("c.region_code >= {} AND c.region_code < {}", lo, hi)
        where.add("v.id = {}", visit_id)
        await tx.connection.fetch(f"SELECT v.* FROM … WHERE {where}", *where.arguments)

    What is left out leaves no trace in the text, so that the planner sees what is asked.
    """

    def __init__(self, condition: str, *values: Any) -> None:
        self.arguments: list[Any] = []
        self._conditions: list[str] = []
        self.add(condition, *values)

    def bind(self, value: Any) -> str:
        """Bind one value; return its place in the text, such as `$3`."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, condition: str, *values: Any) -> Self:
        """Add a condition; each `{}` (or `{0}`, `{1}` …) in it stands for one of the values."""
        self._conditions.append(condition.format(*map(self.bind, values)))
        return self

    def add_given(self, conditions: Mapping[str, Any]) -> Self:
        """Add the conditions whose one value is given; None means any."""
        for condition, value in conditions.items():
            if value is not None:
                self.add(condition, value)
        return self

    def or_else(self, condition: str, *values: Any) -> Self:
        """Let this condition suffice instead of all so far."""
        alternative = condition.format(*map(self.bind, values))
        self._conditions = [f"({self}) OR ({alternative})"]
        return self

    def checked(self) -> Self:
        """Let what was said so far be checked of rows that are found by something else: as a test
        of its value no index is searched for it. Else, where codes have gaps, a range that holds a
        whole county is taken for one row, and preferred to the id of one.
        """
        self._conditions = [f"({self}) IS TRUE"]
        return self

    def __str__(self) -> str:
        return " AND ".join(f"({condition})" for condition in self._conditions)
