"""Rows below a child: put below it, corrected, and what they said before.

The statements that every such table shares, for tables declared with `below.below_child`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import make_url
from sqlmodel import SQLModel

from app.access.principal import Principal
from app.children import queries
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging

_DIALECT: Final = make_url("postgresql+asyncpg://").get_dialect()()
_NEWEST: Final = paging.Order({"h.version": int}, descending=True)


class Put(NamedTuple):
    """The child a row was put below, and whether the row is new."""

    child: asyncpg.Record
    is_new: bool


@cache
def _type(table: str, column: str) -> str:
    kind = SQLModel.metadata.tables[table].columns[column].type
    return str(kind.compile(dialect=_DIALECT))


async def put(
    tx: Tx,
    principal: Principal,
    table: str,
    child_id: UUID,
    values: Mapping[str, Any],
    *,
    lived_in: str | None = None,
) -> Put | None:
    """Insert a row below a visible child, with the child's place; None if there is no such child.

    A row whose id is taken stays as it is. `lived_in`: a column that keeps where the child lived.
    The child is held meanwhile, so that no move leaves the row behind (see `below`).
    """
    where = queries.visible(principal).add("c.id = {}", child_id)
    given = {name: f"{where.bind(value)}::{_type(table, name)}" for name, value in values.items()}
    copied = {
        "child_id": "child.id",
        "home_county": "child.home_county",
        "region_code": "child.region_code",
        "pupil_of": "child.school_id",
        **({lived_in: "child.region_code"} if lived_in else {}),
    }
    columns = {**copied, **given}
    row = await tx.connection.fetchrow(
        f"""
        WITH child AS MATERIALIZED (
            SELECT c.id, c.home_county, c.region_code, c.school_id, c.birth_date FROM children c
            WHERE {where} FOR SHARE OF c
        ), stored AS (
            INSERT INTO {table} ({", ".join(columns)})
            SELECT {", ".join(columns.values())} FROM child
            WHERE NOT EXISTS (SELECT FROM {table} AS taken WHERE taken.id = {given["id"]})
            ON CONFLICT DO NOTHING RETURNING id
        )
        SELECT child.*, EXISTS (SELECT FROM stored) AS is_new FROM child
        """,
        *where.arguments,
    )
    return None if row is None else Put(row, row["is_new"])


async def correct(
    tx: Tx, table: str, row: Mapping[str, Any], values: Mapping[str, Any]
) -> asyncpg.Record:
    """Change a locked row and count its version up; return it as it is now."""
    where = Where("home_county = {} AND id = {}", row["home_county"], row["id"])
    changes = {name: f"{where.bind(value)}::{_type(table, name)}" for name, value in values.items()}
    changes["version"] = "version + 1"
    changes["updated_at"] = where.bind(tx.now)
    return await tx.connection.fetchrow(
        f"UPDATE {table} SET {', '.join(f'{name} = {value}' for name, value in changes.items())}"
        f" WHERE {where} RETURNING *",
        *where.arguments,
    )


async def keep(
    tx: Tx, principal: Principal, table: str, column: str, row: Mapping[str, Any], said: str
) -> None:
    """Keep what a locked row `said`, as JSON, before it is corrected (`below.VersionBelow`)."""
    await tx.connection.execute(
        f"INSERT INTO {table} (home_county, child_id, region_code, pupil_of, {column}, version,"
        " snapshot_sealed, replaced_at, replaced_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row["home_county"],
        row["child_id"],
        row["region_code"],
        row["pupil_of"],
        row["id"],
        row["version"],
        tx.keyring.seal(f"{table}.snapshot_sealed", f"{row['id']}/{row['version']}", said),
        tx.now,
        principal.subject,
    )


async def versions(
    tx: Tx, table: str, column: str, row: Mapping[str, Any], window: paging.Window
) -> paging.Rows:
    """Return a page of what a row the caller may see said before, latest first; see `said`."""
    where = Where(f"h.home_county = {{}} AND h.{column} = {{}}", row["home_county"], row["id"])
    return await paging.fetch(tx, f"SELECT h.* FROM {table} h", where, _NEWEST, window)


def said(tx: Tx, table: str, column: str, version: Mapping[str, Any]) -> bytes:
    """Read the JSON that a row of `versions` keeps."""
    return tx.keyring.unseal_bytes(
        f"{table}.snapshot_sealed",
        f"{version[column]}/{version['version']}",
        version["snapshot_sealed"],
    )
