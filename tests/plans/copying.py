"""Copies of what a few templates left in every table, moved to other places: one statement a table.

Copy `n` of a row lies in the n-th place. Whatever it names by id was copied along: a thing once for
each `n`, an agency and what hangs on it (posts, systems, endpoints) once for each township, one of
its kind. `mapped` says in Python what `plans_id` says in SQL.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.core.data import months
from tests.plans.likely import ALONG, CHOSEN, KEPT, OF_AGENCIES, RATIOS, SELDOM

TOWNSHIPS, VILLAGES = 8, 10
"""Of each county, and of each township."""
EVERYTHING = 1009
"""Every so many copies there is one of which no table leaves anything out."""
_NO_PLACES = {
    *("sequence", "last_sequence", "last", "committed_in", "hidden_below", "police_below"),
}
_SEALED = "_sealed"
"""How columns end whose values name whose key they are under: each copy names its own."""

FUNCTIONS = """
CREATE TABLE plans_keys (id uuid PRIMARY KEY, key text NOT NULL);
CREATE FUNCTION plans_name(id uuid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce((SELECT 'g' || k.key FROM plans_keys k WHERE k.id = $1), 'n' || $1) $$;
CREATE FUNCTION plans_id(name text, n int, m int, g int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT md5(substr(name, 2) || '/' || CASE WHEN name LIKE 'g%' THEN g::text
    WHEN m > 0 THEN n::text || '.' || m::text ELSE n::text END)::uuid $$;
CREATE FUNCTION plans_id_of_day(name text, old uuid, n int, m int, g int) RETURNS uuid
LANGUAGE sql IMMUTABLE AS
$$ SELECT (lpad(to_hex(
        ('x' || lpad(left(replace(old::text, '-', ''), 12), 16, '0'))::bit(64)::bigint
        - (n * 37 + m * 7) % 361 * 86400000::bigint - n * 1000::bigint), 12, '0')
    || right(replace(plans_id(name, n, m, g)::text, '-', ''), 20))::uuid $$;
CREATE FUNCTION plans_place(code bigint, n int, counties bigint[]) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE
    WHEN code / 1000000 NOT IN (120118, 120119) THEN code
    ELSE counties[1 + (n + (120119 - code / 1000000)::int) % cardinality(counties)]
       + CASE WHEN code % 1000000 = 0 THEN 0
              ELSE code % 1000000 / 1000 * 1000 + n / cardinality(counties) % 8 * 2000 END
       + CASE WHEN code % 1000 = 0 THEN 0
              ELSE code % 1000 + n / (8 * cardinality(counties)) % 10 * 2 END
END $$;
CREATE FUNCTION plans_owner(sealed bytea) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN get_byte(sealed, 0) = 4
    THEN plans_name(encode(substr(sealed, 3, 16), 'hex')::uuid) END WHERE sealed <> '' $$;
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """`copies` of every template over `counties`, `groups` of agencies among them."""

    copies: int
    counties: tuple[int, ...]

    @property
    def groups(self) -> int:
        return min(self.copies, TOWNSHIPS * len(self.counties))


def mapped(value: UUID, keys: Mapping[UUID, str], n: int, layout: Layout) -> UUID:
    """Say what copy `n` of a thing, or the agency that stands in for one there, is called."""
    key = keys.get(value)
    text = f"{key}/{n % layout.groups}" if key else f"{value}/{n}"
    return UUID(hashlib.md5(text.encode()).hexdigest())


def place(code: int, n: int, layout: Layout) -> int:
    """Say where what stood at `code` stands in copy `n`."""
    county, rest = divmod(code, 10**6)
    if county not in {120118, 120119}:
        return code
    every = len(layout.counties)
    found = layout.counties[(n + 120119 - county) % every]
    if rest:
        found += rest // 1000 * 1000 + n // every % TOWNSHIPS * 2000
    if rest % 1000:
        found += rest % 1000 + n // (TOWNSHIPS * every) % VILLAGES * 2
    return found


async def remember_agencies(connection: asyncpg.Connection) -> dict[UUID, str]:
    """Note what is copied for each township only: agencies by their kind, what they have by id."""
    await connection.execute("INSERT INTO plans_keys SELECT id, kind FROM agencies")
    for table in OF_AGENCIES:
        if table not in {"agencies", "staff_accounts", "subscriptions"}:
            await connection.execute(
                f"INSERT INTO plans_keys SELECT id, id::text FROM {table} ON CONFLICT DO NOTHING"
            )
    return {row["id"]: row["key"] for row in await connection.fetch("TABLE plans_keys")}


async def copy(connection: asyncpg.Connection, table: str, layout: Layout, children: int) -> int:
    """Copy a table's rows; return how many there are then."""
    rows = await connection.fetchval(f"SELECT count(*) FROM {table}")
    if not rows or table in KEPT:
        return int(rows)
    times, share = 1, OF_AGENCIES.get(table, 1.0)
    copies = layout.groups if table in OF_AGENCIES else layout.copies
    if table not in OF_AGENCIES:
        like = ALONG.get(table, table)
        of_like = await connection.fetchval(f"SELECT count(*) FROM plans_{like}")
        wanted = RATIOS[like] * children / (of_like * copies)
        share = min(wanted, 1.0)
        times = max(round(wanted), 1) if like == table else 1
    await connection.execute(
        await _statement(connection, table),
        *(copies, layout.groups, times, int(share * EVERYTHING) or 1, [*layout.counties]),
    )
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def _statement(connection: asyncpg.Connection, table: str) -> str:
    """Write INSERT … SELECT. $1: copies; $2: groups; $3: how often each; $4: how many in EVERYTHING
    copies; $5: counties. Copy 0 has a row of everything.
    """
    columns = await connection.fetch(
        "SELECT column_name AS name, udt_name AS type FROM information_schema.columns"
        " WHERE table_name = $1 AND table_schema = 'public' AND is_generated = 'NEVER'"
        " AND is_identity = 'NO'",
        table,
    )
    chosen = {each["name"]: _value(table, each["name"], each["type"]) for each in columns}
    names = [each["name"] for each in columns if each["type"] == "uuid"]
    arrays = [each["name"] for each in columns if each["type"] == "_uuid"]
    said = [f'b."{each["name"]}"' for each in columns]
    named = [f"plans_name(b.{name}) AS {name}_n" for name in names]
    named += [f"plans_owner(b.{name}) AS {name}_n" for name in chosen if name.endswith(_SEALED)]
    named += [f"ARRAY(SELECT plans_name(e) FROM unnest(b.{name}) e) AS {name}_n" for name in arrays]
    return f"""
        WITH t AS MATERIALIZED (SELECT {", ".join([*said, *named])} FROM plans_{table} b)
        INSERT INTO {table} ({", ".join(f'"{name}"' for name in chosen)})
        SELECT {", ".join(chosen.values())}
        FROM generate_series(0, $1::int - 1) n, generate_series(0, $3::int - 1) m,
             LATERAL (SELECT n % $2::int AS g) AS of_n, t
        WHERE n * 7919::bigint % {EVERYTHING} < $4::int AND $5::bigint[] IS NOT NULL
            AND (n % {EVERYTHING} = 0 OR {SELDOM.get(table, "true")})
        ON CONFLICT DO NOTHING
    """


def _value(table: str, name: str, kind: str) -> str:
    """Write what a column holds in a copy: its own, or what is said for its name or its type."""
    column, places = f't."{name}"', "n, $5::bigint[]"
    again = "m" if name == "id" else "0"
    lo = f"t.{name[:-2]}lo"
    by_type = {
        "uuid": f"CASE WHEN {column} IS NOT NULL THEN plans_id({name}_n, n, {again}, g) END",
        "_uuid": f"CASE WHEN {column} IS NOT NULL THEN"
        f" ARRAY(SELECT plans_id(e, n, 0, g) FROM unnest({name}_n) e) END",
        "int8": f"plans_place({column}, {places})",
        "_int8": f"ARRAY(SELECT plans_place(e, {places}) FROM unnest({column}) e)",
        "timestamptz": f"{column} - (n * 37 + m * 7) % 361 * interval '1 day'"
        " - n * interval '1 second'",
        "date": f"{column} - (n * 37 + m * 7) % 361",
    }
    if months.PARTITIONED.get(table) == name:
        return f"plans_id_of_day({name}_n, {column}, n, {again}, g)"
    if table in OF_AGENCIES:
        del by_type["timestamptz"], by_type["date"]
    by_name = dict.fromkeys(_NO_PLACES, column)
    by_name |= dict.fromkeys(
        ("remit_hi", "region_hi"), f"plans_place({lo}, {places}) + {column} - {lo}"
    )
    if name.endswith(_SEALED):
        whose = f"uuid_send(plans_id({name}_n, n, 0, g))"
        return (
            f"CASE WHEN {name}_n IS NULL THEN {column}"
            f" ELSE overlay({column} PLACING {whose} FROM 3) END"
        )
    chosen = CHOSEN.get(f"{table}.{name}") or by_name.get(name) or by_type.get(kind)
    return chosen or column
