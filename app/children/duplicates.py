"""One child, one file (REG-03): refuse a duplicate the caller may see, refer any other."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.children import events, queries
from app.children.sections import File
from app.children.sections.identity import Identity
from app.core.data import sql
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import FieldError, Problem
from app.core.text import canonical_name
from app.regions.rules import county_of, subtree


class DuplicateChild(Problem, status=409, points=True):
    """The child has a file already, in the caller's remit; Location names it."""

    title = "This child already has a file"
    title_zh = "该儿童已建立档案"


@dataclass(frozen=True, slots=True)
class Referred:
    """Nothing was stored but the referral: somebody else must look whether the child has a file."""

    referral_id: UUID


_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 3))"

_ADOPT = """
INSERT INTO child_aliases (alias, agency_id, child_id, home_county, region_code, pupil_of, agreed,
    made_at)
SELECT $1, $2, c.id, c.home_county, c.region_code, c.school_id, $4, $5
FROM children c WHERE c.id = $3 AND NOT EXISTS (SELECT FROM children own WHERE own.id = $1)
FOR SHARE OF c
"""


async def adopt(
    tx: Tx, agency_id: UUID, alias: UUID, child_id: UUID, *, agreed: bool = False
) -> None:
    """Let an id that an agency's app made be another name of a file, for that agency. The latest
    holds. `agreed`: whoever is in charge said so (`models.ChildAlias`). A file's own id is never
    another's name, wherever that file lives.
    """
    if alias == child_id:
        return
    async with tx.as_system():
        # A phone may send it five times at one moment; and the file may be of any county.
        await tx.connection.execute(_ONE_AT_A_TIME, f"child_aliases/{agency_id}/{alias}")
        await tx.connection.execute(
            "DELETE FROM child_aliases WHERE alias = $1 AND agency_id = $2", alias, agency_id
        )
        await tx.connection.execute(_ADOPT, alias, agency_id, child_id, agreed, tx.now)


async def disown(tx: Tx, child_id: UUID) -> None:
    """Let an id name nothing but the file that was opened under it. In SYSTEM's reach."""
    await tx.connection.execute("DELETE FROM child_aliases WHERE alias = $1", child_id)


class Taken(Exception):
    """A file the caller cannot see has this: `resident_id` or `id`. Never leaves this package."""


_SAME_PERSON = """
SELECT c.id FROM children c LEFT JOIN resident_ids r
  ON r.home_county = c.home_county AND r.child_id = c.id
WHERE c.name_canonical = $1 AND c.birth_date = $2 AND c.sex = $3 AND c.region_code >= $4
  AND c.region_code < $5 AND c.id <> ALL($6::uuid[])
  AND (r.index IS NULL OR $7::bytea IS NULL OR r.index = $7)
ORDER BY c.id LIMIT 1
"""


async def refuse_visible(
    tx: Tx,
    principal: Principal,
    identity: Identity,
    *,
    region_code: int | None,
    others: Collection[UUID],
) -> None:
    """Raise DuplicateChild if a visible child bears the resident number, or the same name, birth
    date and sex in the county of `region_code` (None: do not compare names).

    `others` are known to be other children. Two different numbers make two children.
    """
    number = identity.resident_id
    index = queries.resident_index(tx.keyring, number) if number else None
    if index is not None:
        found = await queries.find_by_number(tx, principal, index)
        if found is not None and found not in others:
            raise _duplicate(found, "resident_id")
    if region_code is None:
        return
    same = await tx.connection.fetchval(
        _SAME_PERSON,
        canonical_name(identity.name or ""),
        identity.birth_date,
        identity.sex,
        *subtree(county_of(region_code)),
        list(others),
        index,
    )
    if same is not None:
        raise _duplicate(same, "name")


def _duplicate(child_id: UUID, field: str) -> DuplicateChild:
    return DuplicateChild(
        "Change the file named by Location, or name it in `not_the_same_as`.",
        errors=[
            FieldError(f"#/identity/{field}", "child_has_a_file", "A child in your remit has this.")
        ],
        headers={"location": f"/v1/children/{child_id}"},
        children=[child_id],
    )


async def claim_number(tx: Tx, child: queries.ChildRef, number: str | None) -> None:
    """Make the resident number this child's, and its only one. Raises Taken."""
    await tx.connection.execute(
        "DELETE FROM resident_ids WHERE home_county = $1 AND child_id = $2",
        child.home_county,
        child.id,
    )
    if number is None:
        return
    values = {"index": queries.resident_index(tx.keyring, number), **child.place()}
    # Without a conflict target: naming one would need the right to see the row in the way.
    if not await sql.insert(tx.connection, "resident_ids", values, unless_taken=True):
        raise Taken("resident_id")


async def refer(
    tx: Tx,
    principal: Principal,
    reason: str,
    child: queries.ChildRef,
    file: File,
    sections: Collection[str],
    *,
    known: bool,
) -> Referred:
    """Keep the sections sent, sealed, for those who may see both children. `known`: the child has a
    file, which was to be changed.
    """
    number = file.identity.resident_id if reason == "resident_id" else None
    other = await _other_file(tx, child.id, number)
    before = await _referred_before(tx, principal, reason, child.id, other)
    if before is not None:
        return Referred(before)
    referral_id = new_id()
    sent = orjson.dumps({name: getattr(file, name).model_dump() for name in sections})
    sealed = tx.keyring.seal("duplicate_referrals.submitted_sealed", referral_id, sent)
    values = {
        "child_id": child.id if known else None,
        "other_child_id": other,
        "submitted_id": child.id,
        "agency_id": principal.agency_id,
        "submitted_sealed": sealed,
    }
    await _store(tx, referral_id, child.region_code, reason, principal.subject, values)
    return Referred(referral_id)


async def _referred_before(
    tx: Tx, principal: Principal, reason: str, child_id: UUID, other: UUID | None
) -> UUID | None:
    found: UUID | None = await tx.connection.fetchval(
        "SELECT id FROM duplicate_referrals WHERE agency_id = $1 AND submitted_id = $2"
        " AND reason = $3 AND other_child_id IS NOT DISTINCT FROM $4"
        " AND settled_at IS NULL LIMIT 1",
        principal.agency_id,
        child_id,
        reason,
        other,
    )
    return found


async def _other_file(tx: Tx, child_id: UUID, number: str | None) -> UUID | None:
    """Find the file elsewhere that has the number, or without one the id."""
    if number is None:
        return child_id
    index = queries.resident_index(tx.keyring, number)
    async with tx.as_system():
        found: UUID | None = await tx.connection.fetchval(
            "SELECT child_id FROM resident_ids WHERE index = $1", index
        )
    return found


_REFERRAL = """
SELECT d.*, o.region_code AS other_region_code FROM duplicate_referrals d
LEFT JOIN children o ON o.id = d.other_child_id WHERE d.id = $1
"""


async def referral(tx: Tx, referral_id: UUID) -> asyncpg.Record | None:
    """Read a referral, and where the other file lives (`other_region_code`). For jobs."""
    return await tx.connection.fetchrow(_REFERRAL, referral_id)


async def settle_referral(tx: Tx, referral_id: UUID) -> None:
    """Note that the offices concerned have answered."""
    await tx.connection.execute(
        "UPDATE duplicate_referrals SET settled_at = $2 WHERE id = $1", referral_id, tx.now
    )


# Of the county both were opened in, or both live in: the one may have another code since.
_NAMESAKES = """
SELECT o.id, c.region_code FROM children c
JOIN children o ON o.birth_date = c.birth_date AND o.name_canonical = c.name_canonical
  AND o.sex = c.sex AND o.id <> c.id
  AND (o.home_county = c.home_county OR o.region_code / 1000000 = c.region_code / 1000000)
LEFT JOIN resident_ids rc ON rc.home_county = c.home_county AND rc.child_id = c.id
LEFT JOIN resident_ids ro ON ro.home_county = o.home_county AND ro.child_id = o.id
WHERE c.id = $1 AND (rc.index IS NULL OR ro.index IS NULL) ORDER BY o.id LIMIT 20
"""


async def refer_namesakes(tx: Tx, child_id: UUID) -> None:
    """Refer a newly filed child that another file of the county may already describe. For jobs: it
    looks across remits, so that whoever opened the file learns nothing (AZ-4).
    """
    for other, region_code in await tx.connection.fetch(_NAMESAKES, child_id):
        values = {"child_id": child_id, "other_child_id": other}
        county = county_of(region_code)
        await _store(tx, new_id(), county, "name_and_birth_date", "system", values)


async def _store(
    tx: Tx, referral_id: UUID, region_code: int, reason: str, by: str, values: Mapping[str, object]
) -> None:
    place = {"region_code": region_code, "home_county": county_of(region_code)}
    said = {"reason": reason, "submitted_by": by, "created_at": tx.now, **values}
    row = {"id": referral_id, **place, **said}
    if await sql.insert(tx.connection, "duplicate_referrals", row, unless_taken=True):
        await announcements.publish(tx, events.DuplicateSuspected(subject_id=referral_id, **place))
