"""Resident numbers that files say their children have: claims, which shut nobody else out."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.children import indexes, queries, sealing
from app.children.sections.identity import Identity
from app.core.data import key_checks, sql
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.problems import Problem
from app.core.text import canonical_name


class TooManyNumbers(Problem, status=429):
    """Within a day the caller's files named many resident numbers that others' files have. Until
    that is a day ago a file is opened and changed without its number only.
    """

    title = "Too many numbers were those of other files; leave the number out until tomorrow"
    title_zh = "所填身份证件号码多次与其他档案重复;请于明日再填写号码"


class Taken(Exception):
    """A file the caller cannot see has this: `resident_id` or `id`. Never leaves this package."""


_ONE_NUMBER: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('resident_ids/' || encode(i, 'hex'), 56))"
    " FROM (SELECT unnest($1::bytea[]) AS i ORDER BY i) AS indexes"
)
_NUMBERED: Final = f"""
SELECT c.id, {sealing.NAMED}, EXISTS (
    SELECT FROM duplicate_referrals d WHERE d.submitted_id = $2 AND d.other_child_id = c.id
        AND d.reason = 'resident_id' AND d.settled_at IS NULL) AS asked_about
FROM resident_ids r JOIN children c ON c.home_county = r.home_county AND c.id = r.child_id
WHERE r.index = ANY ($1::bytea[]) AND c.id <> $2 ORDER BY c.id
"""


TRIED: Final = """
SELECT count(*) FROM duplicate_referrals
WHERE reason = 'resident_id' AND submitted_by = $1 AND created_at > $2
"""
MOST_TRIED: Final = 20
"""Numbers that other files have, of one caller within a day; then no more are taken of them."""


async def refuse_many(tx: Tx, principal: Principal) -> None:
    """Raise TooManyNumbers for whoever has said many numbers that others' files have."""
    since = tx.now - timedelta(days=1)
    async with tx.as_system():
        tried = await tx.connection.fetchval(TRIED, principal.subject, since)
    if tried >= MOST_TRIED:
        raise TooManyNumbers(headers={"retry-after": "86400"})


async def claim(tx: Tx, child: queries.ChildRef, identity: Identity) -> None:
    """Keep the resident number that a file says its child has, and no other. Raises Taken if a
    file of the same name has it, or one about which, for this one, the offices are asked already.

    Of one that another file has under another name the caller learns nothing, however they look:
    it is answered, and read, and done in as many steps, as if nobody had it. The offices concerned
    are asked afterwards (`alike.refer_numbers`).
    """
    await tx.connection.execute(
        "DELETE FROM resident_ids WHERE home_county = $1 AND child_id = $2",
        child.home_county,
        child.id,
    )
    if identity.resident_id is None:
        return
    spelt = indexes.resident_indexes(tx.keyring, identity.resident_id)
    await tx.connection.execute(_ONE_NUMBER, spelt)  # sent twice at one moment, it is one child's
    if await _of_that_name(tx, spelt, child.id, identity) is not None:
        raise Taken("resident_id")
    await sql.insert(tx.connection, "resident_ids", {"index": spelt[0], **child.place()})


async def other_file(tx: Tx, child_id: UUID, identity: Identity) -> UUID | None:
    """Find the file elsewhere for which a number was not claimed."""
    spelt = indexes.resident_indexes(tx.keyring, identity.resident_id or "")
    return await _of_that_name(tx, spelt, child_id, identity)


async def _of_that_name(
    tx: Tx, spelt: Sequence[bytes], child_id: UUID, identity: Identity
) -> UUID | None:
    """Find another file, wherever it lives, that has a number and the name, or is asked about."""
    name = canonical_name(identity.name or "")
    async with tx.as_system():
        rows = await tx.connection.fetch(_NUMBERED, spelt, child_id)
    return next((row["id"] for row in rows if row["asked_about"] or _is(tx, row, name)), None)


def _is(tx: Tx, row: Mapping[str, Any], name: str) -> bool:
    return canonical_name(sealing.named(tx.keyring, row)[0]) == name


_ITS: Final = f"SELECT c.id, {sealing.IDENTITY} FROM children c WHERE c.id = $1"


async def indexes_of(tx: Tx, child_id: UUID) -> list[bytes]:
    """Make every blind index of the number that a file says, in SYSTEM's reach."""
    row = await tx.connection.fetchrow(_ITS, child_id)
    number = row and sealing.show(tx.keyring, row, "identity")["resident_id"]
    return indexes.resident_indexes(tx.keyring, number) if number else []


_SOME: Final = f"""
SELECT r.index, c.id, {sealing.IDENTITY}
FROM resident_ids r JOIN children c ON c.home_county = r.home_county AND c.id = r.child_id LIMIT 5
"""


async def made_by(tx: Tx, ring: Keyring) -> AsyncIterator[bool]:
    """Tell of some numbers whether an index key made what they are found by."""
    for row in await tx.connection.fetch(_SOME):
        number = sealing.show(ring, row, "identity")["resident_id"]
        yield number is None or indexes.resident_index(ring, number) == row["index"]


key_checks.INDEX_PROOFS.append(made_by)
