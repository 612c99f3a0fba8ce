"""By what a process knows whether its keys are those of the database ([ADR 62]).

Each key in use has a row that only it opens, or that follows from it. The public keys of the spool
and of tokens stand there themselves: a process with wrong keys works with them.

[ADR 62]: docs/decisions/0062-keys-prove-themselves.md
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
from sqlmodel import Field, SQLModel

from app.core.data import crypto, distribution, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import DecryptionRefused, kid_of
from app.core.data.sql import about, insert

_PLACE: Final = "key_checks.shown"
_KNOWN: Final = "tonghu key check"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('key_checks', 56))"
_ROWS: Final = """
SELECT kind, kid, shown, since, used_since, ended_at FROM key_checks
ORDER BY used_since DESC NULLS LAST, since DESC, kid
"""
_USED: Final = """
UPDATE key_checks SET used_since = $3 WHERE kind = $1 AND kid = $2 AND used_since IS NULL
"""
_END: Final = """
UPDATE key_checks SET ended_at = $3, shown = '' WHERE kind = $1 AND kid = $2 AND ended_at IS NULL
"""
_SOME: Final = """
SELECT {0.row} AS id, t."{1}" AS sealed FROM "{0.table}" t TABLESAMPLE SYSTEM ($1)
WHERE t."{1}" IS NOT NULL LIMIT 5
"""
_LOOKED_AT: Final = 50_000
"""Of the rows of a table, about so many: a start waits for it, also where a column is empty."""


_BEFORE: Final = timedelta(microseconds=1)
"""Of data keys that become known together, the first was used last; one that stands behind all that
are known was used before them.
"""
DATA, INDEX, SIGNING, SPOOL = KINDS = ("data", "index", "signing", "spool")


class KeyCheck(SQLModel, table=True):
    """One key. `shown`: of a data key a known text sealed under it, of an index key what follows
    from it, else the public key. `since`: when all could know it. `used_since`: from when on things
    are sealed, hashed or signed by it; None: it is coming. `ended_at`: when it was done with.
    """

    __tablename__ = "key_checks"
    __table_args__ = (one_of("kind", KINDS),)
    kind: str = Field(primary_key=True)
    kid: str = Field(primary_key=True)
    shown: bytes
    since: datetime = Field(sa_type=Instant)
    used_since: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


distribution.in_one_place("a process looks at all of it, at nothing beside it", "key_checks")
rls.allow("key_checks", "SELECT, INSERT, UPDATE")


class Fault(NamedTuple):
    """What is wrong with a key."""

    kind: str
    kid: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} key {self.kid} {self.what}"


MISSING: Final = "is missing"
ANOTHER: Final = "is another: this file has another under that id"
SHUT: Final = "opens not what is stored"
ENDED: Final = "has ended, and is the first of this file"
BEHIND: Final = {
    DATA: "seals by now, and is not the first of this file",
    INDEX: "makes blind indexes by now, and is not the first of this file",
    SPOOL: "is sealed to by now, and is not the first of this file",
}
KNOWN_FOR: Final = timedelta(minutes=10)
"""For so long a key stands published before it is used: no token lives longer, nobody keeps our key
set longer, and a file is on all machines by then.
"""

Rows = list[Mapping[str, Any]]
Proof = Callable[[Tx, Keyring], AsyncIterator[bool]]
INDEX_PROOFS: Final[list[Proof]] = []
"""Each tells of some rows whether the first index key made what they are found by."""


async def rows_of(tx: Tx) -> Rows:
    """Return what is known of all keys, those used last first."""
    return [*await tx.connection.fetch(_ROWS)]


def faults(ring: Keyring, rows: Rows, now: datetime) -> list[Fault]:
    """Say what is wrong with keys. One that is coming may be missing: nothing is made by it yet. So
    may one of the spool: to open what lies there no process but a worker needs it. Of two data
    keys, two index keys and two of the spool, the one used last is the first: what is made by
    another is not found, or not opened, when that has gone.
    """
    given, first = _keys(ring), _first(ring)
    found = []
    for kind in BEHIND:
        newest = overtaken(ring, rows, kind)
        known = newest is not None and (newest["kid"] in given[kind] or kind == SPOOL)
        if newest is not None and known and now - newest["used_since"] >= KNOWN_FOR:
            found.append(Fault(kind, newest["kid"], BEHIND[kind]))
    for row in rows:
        kind, kid = row["kind"], row["kid"]
        key = given[kind].get(kid)
        if row["ended_at"] is not None:
            if first.get(kind) == kid:
                found.append(Fault(kind, kid, ENDED))
        elif key is None:
            if row["used_since"] is not None and kind != SPOOL:
                found.append(Fault(kind, kid, MISSING))
        elif not _is_it(kind, kid, key, row["shown"]):
            found.append(Fault(kind, kid, ANOTHER))
    return sorted(found)


def overtaken(ring: Keyring, rows: Rows, kind: str) -> Mapping[str, Any] | None:
    """Return the row of the key that things are made by, if the first of a file is one of before;
    one that nobody knows yet is none.
    """
    counting = {row["kid"]: row for row in _counting(rows, kind)}
    ours = counting.get(_first(ring)[kind])
    newest = next(iter(counting.values()), None)
    if ours is None or newest is None or newest["used_since"] is None:
        return None
    is_before = ours["used_since"] is None or ours["used_since"] < newest["used_since"]
    return newest if is_before else None


def for_intake(rows: Rows) -> Keyring:
    """Return what a process works with whose keys are wrong."""
    of = {kind: {r["kid"]: r["shown"] for r in _counting(rows, kind)} for kind in KINDS}
    return Keyring.for_intake(of[INDEX], of[SPOOL])


def verifying(rows: Rows) -> dict[str, dict[str, str]]:
    """Return the public keys by which tokens are verified, as the database has them."""
    return {r["kid"]: orjson.loads(r["shown"]) for r in _counting(rows, SIGNING)}


def ended(rows: Rows, kind: str) -> set[str]:
    return {r["kid"] for r in rows if r["kind"] == kind and r["ended_at"] is not None}


def ids(rows: Rows) -> set[str]:
    """Return the ids of all keys there are and were: what one sealed names it by that alone."""
    return {row["kid"] for row in rows}


def used(rows: Rows, kind: str) -> list[str]:
    """Return the keys of a kind that are in use, the newest first."""
    return [r["kid"] for r in _counting(rows, kind) if r["used_since"] is not None]


def coming(rows: Rows, *kinds: str) -> Rows:
    """Return the keys that are published and not used yet."""
    return [
        r
        for kind in kinds or KINDS
        for r in _counting(rows, kind)
        if r["used_since"] is None and kind != SPOOL
    ]


def has(ring: Keyring, row: Mapping[str, Any]) -> bool:
    """Tell whether a key of this id is there."""
    return row["kid"] in _keys(ring)[row["kind"]]


def named(ring: Keyring) -> list[tuple[str, str]]:
    """Return kind and id of each key."""
    return [(kind, kid) for kind, keys in _keys(ring).items() for kid in keys]


async def settle(tx: Tx, ring: Keyring) -> tuple[Rows, list[Fault]]:
    """Compare keys with what is known of them, in SYSTEM's reach; where nothing is wrong make known
    what is not yet. Of two processes that are first at once one makes it known, and the other
    compares. Where there is data, but nothing known of its data or index keys, they are tried on
    that.
    """
    rows = await rows_of(tx)
    wrong = faults(ring, rows, tx.now)
    if wrong or not _news(ring, rows):
        return rows, wrong
    await hold(tx)
    rows = await rows_of(tx)  # of whoever was before us
    wrong = faults(ring, rows, tx.now)
    if not all(_counting(rows, kind) for kind in (DATA, INDEX)):
        wrong = wrong or await unproven(tx, ring)
    if wrong:
        return rows, wrong
    first = _first(ring)
    for kind, kid, shown in _news(ring, rows):
        later = first[kind] != kid and (kind == SPOOL or (kind == INDEX and rows))
        is_coming = kid in ring.coming or kid in ring.coming_data
        used = None if is_coming or later else tx.now
        if used is not None and kind == DATA:
            used = _data_used(ring, rows, kid, used)
        if shown is None:
            await tx.connection.execute(_USED, kind, kid, used)
        else:
            await make_known(tx, kind, kid, shown, used)
    return await rows_of(tx), []


def _data_used(ring: Keyring, rows: Rows, kid: str, now: datetime) -> datetime:
    """Say since when a data key is used that becomes known now, by its place in the file."""
    data = [*ring.data]
    place = data.index(kid)
    known = {r["kid"]: r["used_since"] for r in _counting(rows, DATA) if r["used_since"]}
    is_newer = place == 0 or known.keys() & {*data[place + 1 :]}
    since = now if is_newer else min(known.values(), default=now)
    return since - place * _BEFORE


async def hold(tx: Tx) -> None:
    """Let nobody else note anything of keys until this transaction ends."""
    await tx.connection.execute(_LOCK)


async def make_known(
    tx: Tx, kind: str, kid: str, shown: bytes, used_since: datetime | None = None
) -> None:
    """Let all processes know of a key, from now on."""
    row = {"kind": kind, "kid": kid, "shown": shown, "since": tx.now, "used_since": used_since}
    await insert(tx.connection, "key_checks", row, unless_taken=True)


async def use(tx: Tx, kind: str, kid: str) -> None:
    """Note that a key is used from now on: whoever has it not is wrong."""
    await tx.connection.execute(_USED, kind, kid, tx.now)


async def end(tx: Tx, kind: str, kid: str) -> None:
    """Note that a key is done with; no file that has it still makes it known again."""
    await tx.connection.execute(_END, kind, kid, tx.now)


def shown_of(ring: Keyring, kind: str, kid: str) -> bytes:
    """Return what a key is known by."""
    key = _keys(ring)[kind][kid]
    if kind == DATA:
        return replace(ring, data={kid: key}).seal(_PLACE, kid, _KNOWN)
    return key if isinstance(key, bytes) else orjson.dumps(key)


async def unproven(tx: Tx, ring: Keyring) -> list[Fault]:
    """Try keys on some of what is stored, in SYSTEM's reach; say which do not fit it."""
    opens: dict[str, bool] = {}
    for table in sealed.lasting():
        there = await about(tx.connection, table.table)
        part = min(100.0, 100.0 * _LOOKED_AT / max(there, 1))
        for column, place in table.places.items():
            for row in await tx.connection.fetch(_SOME.format(table, column), part):
                if (kid := kid_of(row["sealed"])) is not None:
                    opens[kid] = _opens(ring, place, row) or opens.get(kid, False)
    wrong = {
        Fault(DATA, kid, ANOTHER if kid in ring.data else MISSING)
        for kid, opened in opens.items()
        if not opened
    }
    if not wrong:
        try:
            for proof in INDEX_PROOFS:
                async for holds in proof(tx, ring):
                    if not holds:
                        wrong.add(Fault(INDEX, next(iter(ring.index)), ANOTHER))
        except DecryptionRefused:  # of a value that was not among those looked at
            wrong.add(Fault(DATA, next(iter(ring.data)), SHUT))
    return sorted(wrong)


def _opens(ring: Keyring, place: str, row: Mapping[str, Any]) -> bool:
    try:
        ring.unseal_bytes(place, row["id"], row["sealed"])
    except DecryptionRefused:
        return False
    return True


def _keys(ring: Keyring) -> dict[str, Mapping[str, Any]]:
    """Return keys by kind, those that have a public part or something shown of them by that."""
    signing = {**ring.signing, **ring.coming}
    return {
        DATA: {**ring.data, **ring.coming_data},
        INDEX: {kid: crypto.check(key) for kid, key in ring.index.items()},
        SIGNING: {kid: crypto.public_of(pem) for kid, pem in signing.items()},
        SPOOL: ring.spool,
    }


def _first(ring: Keyring) -> dict[str, str]:
    return {
        DATA: next(iter(ring.data)),
        INDEX: next(iter(ring.index)),
        SIGNING: next(iter(ring.signing)),
        SPOOL: next(iter(ring.spool)),
    }


def _is_it(kind: str, kid: str, key: Any, shown: bytes) -> bool:
    if kind != DATA:
        return bool(shown == (key if isinstance(key, bytes) else orjson.dumps(key)))
    alone = Keyring(signing={}, data={kid: key}, index={})
    try:
        return alone.unseal(_PLACE, kid, shown) == _KNOWN
    except DecryptionRefused:
        return False


def _counting(rows: Rows, kind: str) -> Rows:
    return [row for row in rows if row["kind"] == kind and row["ended_at"] is None]


def _news(ring: Keyring, rows: Rows) -> list[tuple[str, str, bytes | None]]:
    """Return what the database does not know yet of keys that are not wrong: (kind, kid, what the
    key is known by; None if only that it is used).
    """
    known = {(row["kind"], row["kid"]): row for row in rows}
    first, found = _first(ring), list[tuple[str, str, bytes | None]]()
    for kind, keys in _keys(ring).items():
        for kid in keys:
            row = known.get((kind, kid))
            if row is None:
                found.append((kind, kid, shown_of(ring, kind, kid)))
            elif (row["used_since"] or row["ended_at"]) is None and (
                first.get(kind) == kid or (kind == DATA and kid in ring.data)
            ):
                found.append((kind, kid, None))
    return found
