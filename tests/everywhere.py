"""A row in every table, for tests of what must leave none out."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlmodel import SQLModel

from app.core.ids import new_id

_PLAIN: dict[type[Any], Any] = {
    bool: True,
    int: 1,
    bytes: b"-",
    date: date(2026, 11, 20),
    datetime: datetime(2026, 11, 20, 2, tzinfo=UTC),
    list: [],
}


async def fill(connection: asyncpg.Connection, tables: Iterable[str]) -> None:
    """Write a row into each of the tables that has none, as plain as columns, lists of codes and
    foreign keys let it be; below a child, where the child is. For whoever sees every row.
    """
    wanted = {*tables}
    for table in SQLModel.metadata.sorted_tables:
        if table.name in wanted and not await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {table.name})"
        ):
            row = await _referred(connection, table)
            row |= {column.name: _plain(table, column) for column in _open(table, row)}
            names, places = ", ".join(row), ", ".join(f"${n}" for n, _ in enumerate(row, 1))
            said = f"({names}) VALUES ({places})" if row else "DEFAULT VALUES"
            statement = f"INSERT INTO {table.name} {said}"
            await connection.execute(statement, *row.values())


def _open(table: sa.Table, row: dict[str, Any]) -> list[sa.Column[Any]]:
    """Return the columns that must still be given a value."""
    return [
        column
        for column in table.columns
        if not column.nullable and column.server_default is None and column.name not in row
    ]


async def _referred(connection: asyncpg.Connection, table: sa.Table) -> dict[str, Any]:
    """Take what the required foreign keys name from rows that are there."""
    row: dict[str, Any] = {}
    keys = sorted(table.foreign_key_constraints, key=lambda key: -len(key.columns))
    for key in keys:
        if any(column.nullable for column in key.columns):
            continue
        pairs = {each.parent.name: each.column.name for each in key.elements}
        known = {there: row[here] for here, there in pairs.items() if here in row}
        where = "".join(f" AND {name} = ${n}" for n, name in enumerate(known, 1))
        found = await connection.fetchrow(
            f"SELECT {', '.join(pairs.values())} FROM {key.referred_table.name}"
            f" WHERE true{where} LIMIT 1",
            *known.values(),
        )
        assert found is not None, f"{table.name} refers to {key.referred_table.name}: none is there"
        row |= dict(zip(pairs, tuple(found), strict=True))
    if {"child_id", "home_county"} <= row.keys() and "pupil_of" in table.columns:
        place = await connection.fetchrow(
            "SELECT region_code, school_id FROM children WHERE id = $1", row["child_id"]
        )
        row |= {"region_code": place["region_code"], "pupil_of": place["school_id"]}
    return row


def _plain(table: sa.Table, column: sa.Column[Any]) -> Any:
    codes = re.compile(rf"\b{column.name} IN \('([^']*)'")
    for check in table.constraints:
        if isinstance(check, sa.CheckConstraint) and (first := codes.search(str(check.sqltext))):
            return first[1]
    if isinstance(column.type, sa.JSON):
        return "{}"
    kind = column.type.python_type
    return new_id() if kind is UUID else _PLAIN.get(kind, "-")
