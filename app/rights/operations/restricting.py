"""A file is stored and nothing else, and comes back (个人信息保护法 47).

A restricted file lies in nobody's remit: its place is NATION, for which nobody holds a post that
sees children. So whatever shows, lists, finds, counts, tries, sends or owes by the remit leaves it
out by that alone, the database's own policies included; what is stored of it moves along
(`children.below`).
"""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from app.access.principal import Principal
from app.children import below, derivation, history, names, queries, sealing
from app.children.events import ChildChanged, ChildLeft
from app.children.queries import ChildRef
from app.children.told import Told
from app.core.data.db import Tx
from app.core.http.preconditions import check_version
from app.core.jobs import events
from app.regions import queries as regions
from app.regions.rules import NATION
from app.rights.acts import ACTS

_FILE: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.version, c.categories, c.priority_flags,
    c.undecided, c.counted, c.lacking, c.told, c.next_change_on, {queries.STORED}
FROM children c WHERE c.home_county = $1 AND c.id = $2 FOR NO KEY UPDATE
"""
_PUT: Final = """
UPDATE children SET region_code = $3, school_id = $4, version = version + 1
WHERE home_county = $1 AND id = $2
"""
_ONE: Final = "c.home_county = $1 AND c.id = $2"
_RESTRICT: Final = """
UPDATE rights_requests SET restricted_at = $3, restricted_from = $4, restricted_school = $5
WHERE id = $1 AND home_county = $2 RETURNING *
"""
_LIFT: Final = """
UPDATE rights_requests SET restriction_ended_at = $3, restriction_ended_by = $4,
    version = version + 1
WHERE id = $1 AND home_county = $2 RETURNING *
"""


async def restrict(tx: Tx, row: asyncpg.Record) -> asyncpg.Record:
    """Let a request's file be stored and nothing else; one that is already stays as it is."""
    key = (row["home_county"], row["child_id"])
    async with tx.as_system():
        file = await tx.connection.fetchrow(_FILE, *key)
        if file["region_code"] == NATION:  # pragma: no cover  two were answered at one moment
            return row
        now: asyncpg.Record = await tx.connection.fetchrow(
            _RESTRICT,
            *(row["id"], row["home_county"], tx.now, file["region_code"], file["school_id"]),
        )
        await _put(tx, file, NATION, None)
    return now


async def lift_restriction(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """Let a file that a locked request restricts be used again, where it was. Raises
    PreconditionFailed, PersonRequired, NotRestricted.
    """
    check_version(row["version"], if_match)
    ACTS["liftRestriction"].require(principal, row, tx.today)
    async with tx.as_system():
        file = await tx.connection.fetchrow(_FILE, row["home_county"], row["child_id"])
        place = await regions.current(tx, row["restricted_from"], tx.today)
        back = row["restricted_from"] if place is None else place
        await _put(tx, file, back, row["restricted_school"])
        now: asyncpg.Record = await tx.connection.fetchrow(
            _LIFT, row["id"], row["home_county"], tx.now, principal.subject
        )
    return now


async def _put(tx: Tx, file: asyncpg.Record, place: int, school: Any) -> None:
    """Put a locked file, and all below it, to a place and a school, and say what follows."""
    before = queries.ref_of(file)
    child = ChildRef(before.id, before.home_county, place, school)
    await history.leave(tx, before)
    await tx.connection.execute(_PUT, child.home_county, child.id, place, school)
    await below.follow(tx, _ONE, child.home_county, child.id)
    whole = sealing.whole(tx.keyring, file)
    if place != NATION:
        await names.keep(tx, [(child, whole.identity.name or "")])
    outcome = derivation.derive(whole, place, tx.today, Told.all_of(file["told"]))
    news: list[events.Event] = [
        ChildChanged(**_about(child), **_changed(file)),
        *derivation.announced(child, file, whole, outcome, tx.today),
    ]
    if place == NATION:
        news.append(ChildLeft(**_about(before)))
    await derivation.store(tx, [(child, outcome, True)], news)


def _about(child: ChildRef) -> dict[str, Any]:
    place = {"region_code": child.region_code, "home_county": child.home_county}
    return {"subject_id": child.id, **place}


def _changed(file: Mapping[str, Any]) -> dict[str, Any]:
    left = file["region_code"]
    said = {"version": file["version"] + 1, "sections": ["residence"]}
    return {**said, "previous_region_code": None if left == NATION else left}
