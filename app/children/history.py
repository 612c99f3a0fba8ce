"""What a file was: every change with its author, and facts with the days they held (REG-03)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children import queries
from app.children.child_keys import key_below
from app.children.queries import ChildRef
from app.children.sections import SECTIONS, File
from app.children.sections.marks import Section
from app.core.data import keys, sql
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, of_child
from app.core.data.sql import Where
from app.core.http import paging
from app.core.ids import new_id
from app.regions import queries as regions


@dataclass(frozen=True, slots=True)
class Content:
    """What a file was sent with: read, with the codes its places have now; and digests of it as it
    was sent (`duplicates.contents_of`), the one to keep first. `unread`: not all of the fields of
    ours could be read.
    """

    file: File
    sections: Sequence[str]
    macs: Sequence[bytes]
    unread: bool = False


async def remember(
    tx: Tx,
    principal: Principal,
    child: ChildRef,
    operation: str,
    version: int,
    *,
    before: File | None,
    after: File,
    sections: Collection[str],
    content_mac: bytes | None = None,
    aside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Keep who changed what of which sections (REG-11), and the dated facts. `content_mac`: of what
    was sent, if some of that is not in the file. `aside`: what is not, by field. Returns
    what remains of that: what is said anew is put right, and stands beside the change.
    """
    said = {
        "version": version,
        "at": tx.now,
        "actor": principal.subject,
        "agency_id": principal.agency_id,
        "role": principal.role.code,
        "operation": operation,
        "sections": [*sections],
        "content_mac": content_mac,
    }
    changes = [*_changes(before, after, sections)]
    remains = {**aside} if aside else {}
    for change in changes:
        field = change["pointer"][1:].replace("/", ".")
        of_it = [name for name in remains if f"{name}.".startswith(f"{field}.")]
        if of_it:
            change["as_sent"] = {name: remains.pop(name) for name in of_it}
    await _insert(tx, "child_changes", child, said, "changes_sealed", changes)
    for section in sections:
        if SECTIONS[section].dated:
            await _state_fact(tx, principal, child, section, getattr(after, section))
    return remains


_FIRST: Final = """
SELECT h.id, h.child_id, h.changes_sealed, h.at, h.content_mac, {key} FROM child_changes h
WHERE h.child_id = $1 AND h.version = 1 AND ($2::uuid[] IS NULL OR h.agency_id = ANY ($2))
""".format(key=key_below("h"))
_PLACES: Final = frozenset({"/residence/region_code", "/hukou/region_code"})
"""What says otherwise when a place got another code, though nothing else was sent."""


async def opened_with(
    tx: Tx, agencies: Sequence[UUID] | None, child_id: UUID, content: Content
) -> datetime | None:
    """Tell when a file was opened with just this content, by one of these agencies (None: by
    whichever), whoever sees it by now; None if it was not. One statement; one or two more if it
    names a place by another code.
    """
    async with tx.as_system():
        row = await tx.connection.fetchrow(_FIRST, child_id, agencies)
    if row is None:
        return None
    opened_at: datetime = row["at"]
    if row["content_mac"] is not None or content.unread:
        return opened_at if row["content_mac"] in content.macs else None
    then, now = _both(tx, row, content.file, content.sections)
    other = _differing(then, now)
    same = other <= _PLACES and all(
        [await _is_one_place(tx, then.get(name), now.get(name)) for name in other]
    )
    return opened_at if same else None


async def differing(tx: Tx, child_id: UUID, file: File, sections: Collection[str]) -> list[str]:
    """Name the fields, as `/residence/address`, in which a file that was sent is not what the file
    of that id was opened with. One statement.
    """
    async with tx.as_system():
        row = await tx.connection.fetchrow(_FIRST, child_id, None)
    return [] if row is None else sorted(_differing(*_both(tx, row, file, sections)))


def _both(
    tx: Tx, row: Mapping[str, Any], file: File, sections: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a file was opened with (a row of `_FIRST`), and what was sent now, by field."""
    raw = _unsealed(tx.keyring, row)
    said = orjson.dumps([*_changes(None, file, sections)])
    then, now = (
        {each["pointer"]: each["after"] for each in orjson.loads(changes)}
        for changes in (raw, said)
    )
    return then, now


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {name for name in {*then, *now} if then.get(name) != now.get(name)}


async def _is_one_place(tx: Tx, then: str | None, now: str | None) -> bool:
    """Tell whether a place has another code by now."""
    if then is None or now is None:
        return False
    stands = await regions.current_of(tx, [int(then)], tx.today)
    return stands.get(int(then)) == int(now)


_ANOTHERS: Final = """
SELECT EXISTS (SELECT FROM child_changes WHERE child_id = $1 AND version = 1 AND agency_id <> $2)
"""


async def opened_by_another(tx: Tx, child_id: UUID, agency_id: UUID) -> bool:
    """Tell whether there is a file of an id, opened by another agency, in SYSTEM's reach."""
    opened: bool = await tx.connection.fetchval(_ANOTHERS, child_id, agency_id)
    return opened


def _changes(
    before: File | None, after: File, sections: Collection[str]
) -> Iterator[dict[str, Any]]:
    for section in sections:
        was = {} if before is None else getattr(before, section).model_dump()
        for field, value in getattr(after, section).model_dump().items():
            old = was.get(field)
            if value != old and (old is not None or value != []):
                yield {"pointer": f"/{section}/{field}", "before": old, "after": value}


async def _state_fact(
    tx: Tx, principal: Principal, child: ChildRef, kind: str, value: Section
) -> None:
    since = getattr(value, "since", None) or tx.today
    await tx.connection.execute(
        "UPDATE child_facts SET until = greatest(since, $4) WHERE home_county = $1"
        " AND child_id = $2 AND kind = $3 AND until IS NULL",
        child.home_county,
        child.id,
        kind,
        since,
    )
    said = {"kind": kind, "since": since, "stated_by": principal.subject, "recorded_at": tx.now}
    await _insert(tx, "child_facts", child, said, "value_sealed", value.model_dump())


_LEAVE: Final = """
INSERT INTO child_stays
    (id, home_county, child_id, region_code, pupil_of, lived_in, enrolled_at, since, until)
SELECT $3, c.home_county, c.id, c.region_code, c.school_id, c.region_code, c.school_id,
       coalesce((SELECT max(s.until) FROM child_stays s
                 WHERE s.home_county = c.home_county AND s.child_id = c.id), '-infinity'), $4
FROM children c WHERE c.home_county = $1 AND c.id = $2
"""


async def leave(tx: Tx, child: ChildRef) -> None:
    """Keep where a locked child lives and is enrolled, before it is moved."""
    await tx.connection.execute(_LEAVE, child.home_county, child.id, new_id(), tx.now)


async def _insert(
    tx: Tx, table: str, child: ChildRef, said: Mapping[str, object], column: str, secret: object
) -> None:
    row_id = new_id()
    said_so, of = orjson.dumps(secret), of_child(child.id)
    sealed = tx.keyring.seal(f"{table}.{column}", row_id, said_so, of)
    await sql.insert(tx.connection, table, {"id": row_id, **child.place(), **said, column: sealed})


_HISTORY: Final = (
    "SELECT h.id, h.version, h.at, h.actor, h.role, h.agency_id, h.operation, h.sections,"
    f" h.child_id, h.changes_sealed, {key_below('h')} FROM child_changes h"
)
_NEWEST: Final = paging.Order({"h.version": int}, descending=True)


async def page(tx: Tx, principal: Principal, child: ChildRef, window: paging.Window) -> paging.Rows:
    """List a visible child's changes, newest first, of sections the role reads. One statement."""
    where = Where(
        "h.home_county = {} AND h.child_id = {} AND h.sections && {}::text[]",
        child.home_county,
        child.id,
        queries.readable(principal),
    )
    return await paging.fetch(tx, _HISTORY, where, _NEWEST, window)


def _unsealed(keyring: Keyring, row: Mapping[str, Any]) -> bytes:
    """Return the changes of a row with `child_id` and the child's key; none if it was erased."""
    keys.brought(keyring, of_child(row["child_id"]), row)
    try:
        return keyring.unseal_bytes(
            "child_changes.changes_sealed", row["id"], row["changes_sealed"]
        )
    except Erased:
        return b"[]"


def entry(keyring: Keyring, row: Mapping[str, Any], reads: Collection[str]) -> dict[str, Any]:
    """Show a change as on the wire, limited to sections that are read."""
    raw = _unsealed(keyring, row)
    kept = ("version", "at", "actor", "role", "agency_id", "operation")
    return {
        **{name: row[name] for name in kept},
        "sections": [section for section in row["sections"] if section in reads],
        "changes": [
            {"as_sent": None, **change}
            for change in orjson.loads(raw)
            if change["pointer"].split("/")[1] in reads
        ],
    }
