"""Rows below a child (`below.below_child`): found, put, corrected, and what they said before."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import make_url
from sqlmodel import SQLModel

from app.access import queries as access
from app.access.principal import Principal
from app.children import below, queries, schemas
from app.children.child_keys import key_below
from app.children.queries import ChildRef
from app.core.data import former, keys, sql
from app.core.data.db import Tx
from app.core.data.envelopes import Owner, of_child
from app.core.data.sql import Where
from app.core.http import paging

_DIALECT: Final = make_url("postgresql+asyncpg://").get_dialect()()
_NEWEST: Final = paging.Order({"h.version": int}, descending=True)


_Unless = tuple[str, Sequence[Any]]
_Row = tuple[str, Mapping[str, Any], str, _Unless]
"""Table, values, `lived_in` and `unless` of `put`."""
NOTHING: Final[_Unless] = ("false", ())


class Put(NamedTuple):
    """What became of a row: it, or None if its id was taken; and the child's birth date. `seen`:
    whether the caller sees the child, or looked after it on the day; if not, nothing is shown of it
    but what the caller said.
    """

    row: asyncpg.Record | None
    birth_date: date
    seen: bool = True


@cache
def _type(table: str, column: str) -> str:
    kind = SQLModel.metadata.tables[table].columns[column].type
    return str(kind.compile(dialect=_DIALECT))


BLANK: Final = {("visits", "findings"): "'[]'"}
"""Columns that are sealed elsewhere by now, and what they hold: what they did hold is written while
the release before may run.
"""


def _written(tx: Tx, where: Where, table: str, column: str, value: object) -> str:
    """Bind a value of a column; return it in SQL."""
    bound = f"{where.bind(value)}::{_type(table, column)}"
    if (blank := BLANK.get((table, column))) is None:
        return bound
    runs = former.MAY_RUN.format(f"{where.bind(former.gone_since(tx))}::timestamptz")
    return f"CASE WHEN {runs} THEN {bound} ELSE {blank} END"


async def find(
    tx: Tx, principal: Principal, row_id: UUID, *, table: str, for_update: bool = False
) -> asyncpg.Record | None:
    """Find a row (`below.Correctable`) of a visible child: all of it, and the child's `birth_date`.
    Of rows of two counties to which their clients gave one id, it is the one received first. One
    statement, two `for_update`: rows are locked with their county.
    """
    where = queries.visible_below(principal, "r").checked().add("r.id = {}", row_id)
    found = await tx.connection.fetchrow(
        f"{_FIND.format(table=table)} WHERE {where} ORDER BY r.received_at, r.home_county LIMIT 1",
        *where.arguments,
    )
    if found is None:
        return None
    keys.brought(tx.keyring, of_child(found["child_id"]), found)
    if not for_update:
        return found
    where = queries.visible_below(principal, "r").checked()
    where.add("r.home_county = {} AND r.id = {}", found["home_county"], row_id)
    return await tx.connection.fetchrow(
        f"{_FIND.format(table=table)} WHERE {where} FOR UPDATE OF r", *where.arguments
    )


_FIND: Final = """SELECT r.*, c.birth_date, {key} FROM {{table}} r
JOIN children c ON c.home_county = r.home_county AND c.id = r.child_id""".format(key=key_below("r"))


async def put(
    tx: Tx,
    principal: Principal,
    table: str,
    child_id: UUID,
    values: Mapping[str, Any],
    *,
    lived_in: str,
    on: date | None = None,
    scope: str = "",
    unless: _Unless = NOTHING,
) -> Put | None:
    """Insert a row (`below.Correctable`) below a child that is visible, or that the caller looked
    after on the day it is about (`on`), for the agency they did so for; None if there is no such
    child. An id that turned out to be another name of a file stands for that file.

    A row whose id is taken stays as it is; `unless`: what takes the id too, as a condition with its
    values (`sql.Where.add`). `lived_in`: the column that keeps where the child lived. `scope`: what
    a post must have granted then. The child is held meanwhile, so that no move leaves the row
    behind (see `below`).
    """
    written = (table, values, lived_in, unless)
    found = await _put_seen(tx, principal, child_id, *written)
    if found is not None or on is None:
        return found
    named = await queries.named_by(tx, principal.agency_id, child_id)
    if named is not None:
        child_id = named.child_id
        if found := await _put_seen(tx, principal, child_id, *written):
            return found
    posts = await access.postings(tx, principal, scope)
    async with tx.as_system():
        for agency_id in {post.who.agency_id for post in posts} if named is None else ():
            if named := await queries.named_by(tx, agency_id, child_id):
                child_id = named.child_id
                break
        then = await queries.looked_after(tx, posts, child_id, on, told_on=tx.today)
        if then is not None:
            whoever = _whoever(then.child)
            return await _put(tx, then.who, whoever, *written, lived=then.lived_in)
        if named is None or not named.agreed:
            return None
        child = (await queries.hold(tx, [child_id]))[child_id]
        found = await _put(tx, principal, _whoever(child), *written)
        return found and found._replace(seen=False)


def _whoever(child: ChildRef) -> Where:
    """Limit `children c` to one, whoever sees it."""
    return Where("c.home_county = {} AND c.id = {}", child.home_county, child.id)


async def _put_seen(tx: Tx, principal: Principal, child_id: UUID, *written: *_Row) -> Put | None:
    """Put a row below a child the caller sees: of those opened in their own county in one
    statement, else in two more.
    """

    def opened_in(county: int) -> Where:
        here = queries.visible(principal).checked()
        return here.add("c.home_county = {} AND c.id = {}", county, child_id)

    own = queries.own_county(principal)
    if own is not None and (found := await _put(tx, principal, opened_in(own), *written)):
        return found
    county = await queries.opened_in(tx, child_id)
    return None if county is None else await _put(tx, principal, opened_in(county), *written)


async def put_below(
    tx: Tx,
    principal: Principal,
    table: str,
    child: ChildRef,
    values: Mapping[str, Any],
    *,
    lived_in: str,
) -> Put | None:
    """Insert a row below a child, whoever sees the child: in SYSTEM's reach, for whoever has been
    told that it is about this one. See `put`.
    """
    return await _put(tx, principal, _whoever(child), table, values, lived_in, NOTHING)


async def _put(
    tx: Tx,
    principal: Principal,
    where: Where,
    table: str,
    values: Mapping[str, Any],
    lived_in: str,
    unless: _Unless,
    *,
    lived: int | None = None,
) -> Put | None:
    """`lived`: where the child lived on the day, if that is not where it lives now."""
    condition, compared = unless
    taken = condition.format(*map(where.bind, compared))
    made = {
        "agency_id": principal.agency_id,
        "as_role": principal.role.code,
        "version": 1,
        "received_at": tx.now,
        "updated_at": tx.now,
        **values,
    }
    given = {name: _written(tx, where, table, name, value) for name, value in made.items()}
    columns = {
        "child_id": "child.id",
        "home_county": "child.home_county",
        "region_code": "child.region_code",
        "pupil_of": "child.school_id",
        lived_in: "child.region_code" if lived is None else f"{where.bind(lived)}::bigint",
        **given,
    }
    row = await tx.connection.fetchrow(
        f"""
        WITH child AS MATERIALIZED (
            SELECT c.id, c.home_county, c.region_code, c.school_id, c.birth_date
            FROM children c WHERE {where} FOR SHARE OF c
        ), stored AS (
            INSERT INTO {table} ({", ".join(columns)})
            SELECT {", ".join(columns.values())} FROM child
            WHERE NOT EXISTS (SELECT FROM {table} AS taken WHERE taken.id = {given["id"]})
              AND NOT ({taken})
            ON CONFLICT DO NOTHING RETURNING *
        )
        SELECT child.birth_date, stored.* FROM child LEFT JOIN stored ON true
        """,
        *where.arguments,
    )
    return None if row is None else Put(None if row["id"] is None else row, row["birth_date"])


async def sent_before(
    tx: Tx, principal: Principal, row_id: UUID, *, table: str, for_update: bool = False
) -> asyncpg.Record | None:
    """Find a row that the caller's agency sent, or one the same person served before, whoever sees
    its child now: to recognise it, or to correct what they said.
    """
    agencies = await access.served(tx, principal)
    async with tx.as_system():
        found = await tx.connection.fetchrow(
            f"SELECT r.*, {key_below('r')} FROM {table} r WHERE r.id = $1"
            " AND r.agency_id = ANY ($2) ORDER BY r.received_at LIMIT 1",
            row_id,
            agencies,
        )
        if found is None:
            return None
        keys.brought(tx.keyring, of_child(found["child_id"]), found)
        if not for_update:
            return found
        return await tx.connection.fetchrow(
            f"SELECT * FROM {table} WHERE home_county = $1 AND id = $2 FOR UPDATE",
            found["home_county"],
            row_id,
        )


async def correct(
    tx: Tx,
    principal: Principal,
    table: str,
    row: Mapping[str, Any],
    said: str,
    values: Mapping[str, Any],
) -> asyncpg.Record:
    """Change a locked row, count its version up and return it; keep what it `said`, as JSON. Its
    child's key is open (`find`, `sent_before`).
    """
    kept, column = below.VERSIONS[table]
    of = of_child(row["child_id"])
    version = {
        **{name: row[name] for name in (*below.BelowChild.model_fields, "version")},
        column: row["id"],
        "snapshot_sealed": tx.keyring.seal(
            f"{kept}.snapshot_sealed", f"{row['id']}/{row['version']}", said, of
        ),
        "replaced_at": tx.now,
        "replaced_by": principal.subject,
    }
    await sql.insert(tx.connection, kept, version)
    where = Where("home_county = {} AND id = {}", row["home_county"], row["id"])
    changes = {name: _written(tx, where, table, name, value) for name, value in values.items()}
    changes["version"] = "version + 1"
    changes["updated_at"] = where.bind(tx.now)
    return await tx.connection.fetchrow(
        f"UPDATE {table} SET {', '.join(f'{name} = {value}' for name, value in changes.items())}"
        f" WHERE {where} RETURNING *",
        *where.arguments,
    )


async def keyed(tx: Tx, principal: Principal, child_id: UUID) -> Owner:
    """Return under whose key is sealed what is put below a child, by an id or another name of it,
    and open it. One statement; another if nobody's key is called so.
    """
    of = of_child(child_id)
    await keys.load(tx, [of])
    if tx.keyring.opened[of.named] is None:
        named = await queries.named_by(tx, principal.agency_id, child_id)
        if named is not None:
            of = of_child(named.child_id)
            await keys.load(tx, [of])
    return of


async def versions(
    tx: Tx, table: str, row: Mapping[str, Any], window: paging.Window
) -> paging.Rows:
    """Return a page of what a row the caller may see said before, latest first. Each is what
    `schemas.Replaced` says, and in `said` the JSON that was kept.
    """
    kept, column = below.VERSIONS[table]
    where = Where(f"h.home_county = {{}} AND h.{column} = {{}}", row["home_county"], row["id"])
    page = await paging.fetch(tx, f"SELECT h.* FROM {kept} h", where, _NEWEST, window)
    return page._replace(
        rows=[
            {
                **{name: found[name] for name in schemas.Replaced.model_fields},
                "said": unsealed(tx, table, row["id"], found),
            }
            for found in page.rows
        ]
    )


def unsealed(tx: Tx, table: str, row_id: UUID, version: Mapping[str, Any]) -> bytes:
    """Return what a version of a row of a table said, as JSON."""
    kept, _ = below.VERSIONS[table]
    key = f"{row_id}/{version['version']}"
    said: bytes = tx.keyring.unseal_bytes(
        f"{kept}.snapshot_sealed", key, version["snapshot_sealed"]
    )
    return said


def announced(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every event about a row says: which, of whom, and who looks after them now."""
    return {
        "subject_id": row["id"],
        **{name: row[name] for name in ("region_code", "home_county", "child_id")},
    }
