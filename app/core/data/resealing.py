"""Sealing anew, in batches while all runs: keys are made for whoever has none, and what is under an
old data key, or under the service's and not yet under the key of its child or report, is brought
there. What is done is not done again, so that it may be stopped at any moment (ADR 63).

Run as the owner of the tables: the app may not change most of what it has written.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlmodel import SQLModel

from app.core.data import keys, sql
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import DecryptionRefused, Erased, Owner, Whose
from app.core.data.sealed import TABLES, Sealed, lasting

BATCH: Final = 2_000


class InPlain(NamedTuple):
    """What a release before left in the clear in a table, and whose each value says by itself.

    `column`: where it is sealed. `owner`: under whose key a row comes; None: it stays as it is.
    `anew`: the columns of a row, its key open; none: they stay.
    """

    table: str
    column: str
    owner: Callable[[Keyring, Mapping[str, Any]], Owner | None]
    anew: Callable[[Tx, Mapping[str, Any]], Mapping[str, Any]]


IN_PLAIN: Final[list[InPlain]] = []
"""Declared beside the tables; sealed by `tonghu keys re-encrypt`."""


class Batch(NamedTuple):
    """What became of some rows. `last`: the place of the last one looked at, None: no more follow.
    `refused`: values that no key opens.
    """

    last: tuple[Any, ...] | None
    looked: int
    changed: int
    refused: int = 0


def in_order() -> list[Sealed]:
    """Return what is sealed anew: first the keys themselves."""
    own = {kept.table for kept in keys.KEPT.values()}
    return sorted(lasting(), key=lambda each: (each.table not in own, each.table))


async def make_keys(tx: Tx, table: str, after: Sequence[Any] | None = None) -> Batch:
    """Make the keys of those of the next rows that have none. `table`: where the keys are kept."""
    kinds = {whose: kept for whose, kept in keys.KEPT.items() if kept.table == table}
    kept = next(iter(kinds.values()))
    key, above = _key(kept.of), "" if after is None else _above(_key(kept.of), 2)
    rows = await tx.connection.fetch(
        f"SELECT {_of('o', key)}, o.home_county AS county, o.id AS owner, k.{kept.column} AS has"
        f" FROM (SELECT o.* FROM {kept.of} o{above} ORDER BY {_of('o', key)} LIMIT $1) AS o"
        f" LEFT JOIN {table} k ON k.home_county = o.home_county AND k.{kept.column} = o.id"
        f" ORDER BY {_of('o', key)}",
        BATCH,
        *(after or ()),
    )
    lacking = [row for row in rows if row["has"] is None]
    for row in lacking:
        made = {
            each.wrapped: keys.make(tx.keyring, Owner(whose, row["owner"]))
            for whose, each in kinds.items()
        }
        values = {kept.column: row["owner"], "home_county": row["county"], **made}
        await sql.insert(tx.connection, table, values, unless_taken=True)
    return Batch(_last(rows, key), len(rows), len(lacking))


async def seal_anew(
    tx: Tx, table: Sealed, after: Sequence[Any] | None = None, *, of: Owner | None = None
) -> Batch:
    """Seal anew what of the next rows is not sealed as it is to be. `of`: of this owner only."""
    key = _key(table.table)
    rows = await tx.connection.fetch(
        _select(table, key, after, of), BATCH, _service(tx), *([of.id] if of else after or ())
    )
    last = None if of else _last(rows, key)
    try:
        await keys.of_rows(tx, rows)
        await keys.load(tx, _owners(table, rows))
    except DecryptionRefused:  # the key itself is under one that the file has not
        return Batch(last, len(rows), 0, len(rows))
    changes, refused = [], 0
    for row in rows:
        said: list[Any] = [row[name] for name in key]
        for column, place in table.places.items():
            new = None
            if row[column] is not None:
                try:
                    new = _anew(tx, table, place, row, row[column])
                except DecryptionRefused:
                    refused += 1
            said += [row[column], new]
        if any(said[len(key) + 1 :: 2]):
            changes.append(said)
    if changes:
        await tx.connection.executemany(_update(table, key), changes)
    return Batch(last, len(rows), len(changes), refused)


async def seal_plain(tx: Tx, plain: InPlain, after: Sequence[Any] | None = None) -> Batch:
    """Seal what of the next rows lies in the clear, and what is under a data key and whose key it
    belongs under is there by now.
    """
    key = _key(plain.table)
    some = await tx.connection.fetch(
        f"SELECT {_of('t', key)} FROM {plain.table} t{_above(key, 2, 't') if after else ''}"
        f" ORDER BY {_of('t', key)} LIMIT $1",
        BATCH,
        *(after or ()),
    )
    if not some:
        return Batch(None, 0, 0)
    ends = [tuple(some[0]), tuple(some[-1])]
    window = (
        f"({_of('t', key)}) >= ({_places(key, 1)})"
        f" AND ({_of('t', key)}) <= ({_places(key, 1 + len(key))})"
    )
    changed, refused = await _plain_of(tx, plain, window, *ends[0], *ends[1])
    return Batch(_last(some, key), len(some), changed, refused)


async def seal_plain_of(tx: Tx, plain: InPlain, which: str, *values: Any) -> Batch:
    """Seal likewise what of some rows (`t`) lies in the clear, in one go."""
    changed, refused = await _plain_of(tx, plain, which, *values)
    return Batch(None, changed, changed, refused)


async def _plain_of(tx: Tx, plain: InPlain, which: str, *values: Any) -> tuple[int, int]:
    """Return how much changed of these rows, and how much no key opens."""
    key = _key(plain.table)
    rows = await tx.connection.fetch(
        f"SELECT t.* FROM {plain.table} t WHERE {which}"
        f" AND (t.{plain.column} IS NULL OR substr(t.{plain.column}, 1, 1) <> '\\x04') FOR UPDATE",
        *values,
    )
    try:
        changed, refused = await _out_of_plain(tx, plain, rows)
    except DecryptionRefused:  # the key itself is under one that the file has not
        return 0, len(rows)
    alike: defaultdict[tuple[str, ...], list[list[Any]]] = defaultdict(list)
    for row, new in changed:
        alike[tuple(new)].append([*(row[name] for name in key), *new.values()])
    its = " AND ".join(f"{name} = ${n}" for n, name in enumerate(key, 1))
    for columns, arguments in alike.items():
        said = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 1 + len(key)))
        update = f"UPDATE {plain.table} SET {said} WHERE {its}"
        await tx.connection.executemany(update, arguments)
    return len(changed), refused


Change = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A row and its new columns."""


async def _out_of_plain(
    tx: Tx, plain: InPlain, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Change], int]:
    """Return what of these rows changes, and how much no key opens."""
    await keys.of_rows(tx, rows)
    refused, owned = 0, []
    for row in rows:
        try:
            owned.append((row, plain.owner(tx.keyring, row)))
        except DecryptionRefused:
            refused += 1
    await keys.load(tx, [owner for _, owner in owned if owner is not None])
    changed: list[Change] = []
    for row, owner in owned:
        try:
            new = {} if owner is None else plain.anew(tx, row)
        except Erased:  # it stays as it is
            continue
        if new and not _alike(row[plain.column], new.get(plain.column)):
            changed.append((row, new))
    return changed, refused


def _alike(one: bytes | None, other: bytes | None) -> bool:
    """Tell whether two values are under the same data key."""
    return one is not None and other is not None and one[:5] == other[:5]


async def naming(tx: Tx, kid: str) -> dict[str, int]:
    """Count, by table, the rows in which something is sealed under a data key."""
    found = Counter[str]()
    await tx.connection.execute("SET LOCAL statement_timeout = 0")
    for table in TABLES:
        named = " OR ".join(f"substr(t.{column}, 1, 5) = $1" for column in table.places)
        statement = f"SELECT count(*) FROM {table.table} t WHERE {named}"
        if number := await tx.connection.fetchval(statement, b"\x01" + kid.encode()):
            found[table.table] += number
    return found


def _anew(tx: Tx, table: Sealed, place: str, row: Mapping[str, Any], sealed: bytes) -> bytes:
    raw = tx.keyring.unseal_bytes(place, row["row_name"], sealed)
    of = _owner(table, row)
    return tx.keyring.seal(place, row["row_name"], raw, of)


def _owner(table: Sealed, row: Mapping[str, Any]) -> Owner | None:
    if table.whose is None or row["owner"] is None:
        return None
    return Owner(table.whose, row["owner"])


def _owners(table: Sealed, rows: Sequence[Mapping[str, Any]]) -> list[Owner]:
    return [owner for row in rows if (owner := _owner(table, row)) is not None]


def _service(tx: Tx) -> bytes:
    """Return with what begins what is sealed under the newest data key."""
    return b"\x01" + next(iter(tx.keyring.data)).encode()


def _select(
    table: Sealed, key: Sequence[str], after: Sequence[Any] | None, of: Owner | None
) -> str:
    """Select of the next rows the values that are to be sealed anew, null for the others."""
    owned = (table.belongs or f"{table.owner} = {{}}").format("$3")
    window = f" WHERE {owned}" if of else "" if after is None else _above(key, 3, "t")
    kept = keys.KEPT[table.whose or Whose.child]
    whose = int(table.whose or 0)
    values = ", ".join(
        f"CASE WHEN substr(t.{each}, 1, length(w.want)) <> w.want AND t.{each} <> ''"
        f" AND NOT (w.erased AND substr(t.{each}, 1, 1) = '\\x04') THEN t.{each} END AS {each}"
        for each in table.places
    )
    limit = "" if of else " LIMIT $1"
    return f"""
SELECT {_of("t", key)}, {table.row} AS row_name, o.owner, {values}
FROM (SELECT t.* FROM {table.table} t{window} ORDER BY {_of("t", key)}{limit}) AS t
CROSS JOIN LATERAL (SELECT {table.owner} AS owner) AS o
LEFT JOIN {kept.table} k ON k.{kept.column} = o.owner
CROSS JOIN LATERAL (SELECT CASE WHEN coalesce(k.{kept.wrapped}, '') = '' THEN $2::bytea
    ELSE decode('04{whose:02x}', 'hex') || uuid_send(o.owner) END AS want,
    coalesce(k.{kept.wrapped} = '', false) AS erased) AS w
WHERE $1::int > 0 ORDER BY {_of("t", key)}"""


def _update(table: Sealed, key: Sequence[str]) -> str:
    """Put what is sealed anew in the place of what was read, if that still stands there."""
    first = len(key) + 1
    changes = ", ".join(
        f"{each} = CASE WHEN {each} = ${first + 2 * n} THEN coalesce(${first + 2 * n + 1}, {each})"
        f" ELSE {each} END"
        for n, each in enumerate(table.places)
    )
    which = " AND ".join(f"{name} = ${n}" for n, name in enumerate(key, 1))
    return f"UPDATE {table.table} SET {changes} WHERE {which}"


def _key(table: str) -> list[str]:
    return [column.name for column in SQLModel.metadata.tables[table].primary_key.columns]


def _of(alias: str, key: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in key)


def _above(key: Sequence[str], first: int, alias: str = "o") -> str:
    return f" WHERE ({_of(alias, key)}) > ({_places(key, first)})"


def _places(key: Sequence[str], first: int) -> str:
    return ", ".join(f"${first + n}" for n, _ in enumerate(key))


def _last(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> tuple[Any, ...] | None:
    return tuple(rows[-1][name] for name in key) if len(rows) == BATCH else None
