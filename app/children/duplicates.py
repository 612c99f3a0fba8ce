"""One child, one file (REG-03): refuse a duplicate the caller may see, refer any other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children import events, indexes, listing, numbers, queries, referred, sealing
from app.children.numbers import Taken
from app.children.sections import File
from app.children.sections.identity import Identity
from app.core.data import sql
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from app.core.jobs import events as announcements
from app.core.problems import FieldError, Problem
from app.regions.rules import county_of, subtree


class DuplicateChild(Problem, status=409, points=True):
    """The child has a file already, in the caller's remit; Location names it."""

    title = "This child already has a file"
    title_zh = "该儿童已建立档案"


class AnsweredAlready(Problem, status=409, points=True):
    """It was referred, and the offices concerned have answered: sent again, the same opens and
    changes nothing. Location names the question. Other facts are another question.
    """

    title = "The offices concerned have answered this; sent again, it opens and changes nothing"
    title_zh = "有关单位已经答复;重复提交不会建立或更改档案"


@dataclass(frozen=True, slots=True)
class Referred:
    """Nothing was stored but the referral: somebody else must look whether the child has a file.
    `opened`: the file that was opened of what was sent since, if they have answered.
    """

    referral_id: UUID
    opened: UUID | None = None


_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('child_aliases/' || $1::text, 3))"

_ADOPT = """
INSERT INTO child_aliases (alias, agency_id, child_id, home_county, region_code, pupil_of, agreed,
    made_at)
SELECT $1, $2, c.id, c.home_county, c.region_code, c.school_id, $4, $5
FROM (SELECT * FROM children WHERE home_county = $6 AND id = $3 FOR SHARE) AS c
WHERE NOT EXISTS (SELECT FROM children own WHERE own.id = $1)
RETURNING region_code, home_county
"""


async def adopt(
    tx: Tx, agency_id: UUID, alias: UUID, child_id: UUID, *, agreed: bool = False
) -> None:
    """Let an id that an agency's app made be another name of a file, for that agency. The latest
    holds. `agreed`: whoever is in charge said so (`models.ChildAlias`). A file's own id is never
    another's name, wherever that file lives.
    """
    async with tx.as_system():
        # A phone may send it five times at one moment, or a file be opened under it at that.
        await tx.connection.execute(_ONE_AT_A_TIME, str(alias))
        before = await tx.connection.fetchval(
            "DELETE FROM child_aliases WHERE alias = $1 AND agency_id = $2 RETURNING child_id",
            alias,
            agency_id,
        )
        county = await queries.opened_in(tx, child_id)
        place = await tx.connection.fetchrow(
            _ADOPT, alias, agency_id, child_id, agreed, tx.now, county
        )
        if place is not None and before != child_id:
            named = {"subject_id": alias, "agency_id": agency_id, "child_id": child_id}
            told = events.ChildNamed(**place, **named, told_to=())
            await announcements.publish(tx, told)


async def forget(tx: Tx, agency_id: UUID, aliases: Collection[UUID | str], child_id: UUID) -> None:
    """Let ids that an agency's app made be no other names of a file any more, in SYSTEM's reach: it
    was the wrong child's.
    """
    for alias in sorted({*map(str, aliases)}):
        await tx.connection.execute(_ONE_AT_A_TIME, alias)
        this = "alias = $1 AND agency_id = $2 AND child_id = $3"
        await _unname(tx, this, UUID(alias), agency_id, child_id)


async def disown(tx: Tx, child_id: UUID) -> bool:
    """Let an id name nothing but the file that is about to be opened under it: nothing can become
    its name again before this transaction ends, nor after. Tells whether a file has it already,
    wherever it was opened: the keys hold that of one county only.
    """
    async with tx.as_system():
        await tx.connection.execute(_ONE_AT_A_TIME, str(child_id))
        await _unname(tx, "alias = $1", child_id)
        there: bool = await tx.connection.fetchval(_THERE, child_id)
    return there


async def _unname(tx: Tx, these: str, *arguments: UUID) -> None:
    gone = await tx.connection.fetch(
        f"DELETE FROM child_aliases WHERE {these} RETURNING {_UNNAMED}", *arguments
    )
    await announcements.publish(tx, *(events.ChildUnnamed(**row, told_to=()) for row in gone))


_THERE: Final = "SELECT EXISTS (SELECT FROM children WHERE id = $1)"
_UNNAMED: Final = "alias AS subject_id, agency_id, child_id, region_code, home_county"


async def named(tx: Tx, agencies: Sequence[UUID], ids: Sequence[UUID]) -> list[UUID]:
    """Return ids of files, with those that some of them are other names of to these agencies."""
    if not ids:
        return []
    async with tx.as_system():
        rows = await tx.connection.fetch(_NAMED, ids, agencies)
    return [*dict.fromkeys([*ids, *(row["child_id"] for row in rows)])]


_NAMED: Final = "SELECT child_id FROM child_aliases WHERE alias = ANY ($1) AND agency_id = ANY ($2)"


_SAME_PERSON = f"""
SELECT c.id FROM children c LEFT JOIN resident_ids r
  ON r.home_county = c.home_county AND r.child_id = c.id
WHERE {sealing.SAME_CHILD.format("$1", "$2", "$3")} AND c.sex = $4 AND c.region_code >= $5
  AND c.region_code < $6 AND c.id <> ALL($7::uuid[])
  AND (r.index IS NULL OR $8::bytea[] IS NULL OR r.index = ANY ($8))
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
    spelt = indexes.resident_indexes(tx.keyring, number) if number else None
    if spelt is not None:
        found = await listing.find_by_number(tx, principal, spelt)
        if found is not None and found not in others:
            raise _duplicate(found, "resident_id")
    if region_code is None:
        return
    same = await tx.connection.fetchval(
        _SAME_PERSON,
        *sealing.same_child(tx.keyring, identity.name, identity.birth_date),
        identity.sex,
        *subtree(county_of(region_code)),
        list(others),
        spelt,
    )
    if same is not None:
        raise _duplicate(same, "name")


_ANSWERED = f"""
SELECT c.id, coalesce(r.index = ANY ($4::bytea[]), false) AS same_number
FROM child_aliases a
JOIN children c ON c.home_county = a.home_county AND c.id = a.child_id
LEFT JOIN resident_ids r ON r.home_county = c.home_county AND r.child_id = c.id
WHERE a.alias = $1 AND a.agency_id = ANY ($2) AND NOT a.agreed AND c.id <> ALL ($3::uuid[])
  AND (r.index = ANY ($4) OR ({sealing.SAME_CHILD.format("$5", "$6", "$7")} AND c.sex = $8
                              AND (r.index IS NULL OR $4 IS NULL)))
LIMIT 1
"""


async def refuse_again(
    tx: Tx, agencies: Sequence[UUID], alias: UUID, identity: Identity, *, others: Collection[UUID]
) -> None:
    """Raise DuplicateChild if an id was answered so before and is sent for the same child again:
    it names the same file, whoever sees that by now. `agencies`: all its sender has served.
    """
    number = identity.resident_id
    said = sealing.same_child(tx.keyring, identity.name, identity.birth_date)
    async with tx.as_system():
        found = await tx.connection.fetchrow(
            _ANSWERED,
            alias,
            agencies,
            list(others),
            indexes.resident_indexes(tx.keyring, number) if number else None,
            *said,
            identity.sex,
        )
    if found is not None:
        same = number is not None and found["same_number"]
        raise _duplicate(found["id"], "resident_id" if same else "name")


def _duplicate(child_id: UUID, field: str) -> DuplicateChild:
    return DuplicateChild(
        "Change the file named by Location, or name it in `not_the_same_as`.",
        errors=[
            FieldError(f"#/identity/{field}", "child_has_a_file", "A child in your remit has this.")
        ],
        headers={"location": f"/v1/children/{child_id}"},
        children=[child_id],
    )


async def claim_id(tx: Tx, child_id: UUID) -> None:
    """Make an id that a client made the file's that is about to be opened. Raises Taken."""
    if await disown(tx, child_id):
        raise Taken("id")


async def refer(
    tx: Tx,
    principal: Principal,
    reason: str,
    child: queries.ChildRef,
    file: File,
    sections: Collection[str],
    *,
    known: bool,
    contents: Sequence[bytes] = (),
    aside: Mapping[str, Any] | None = None,
    own_id: bool = True,
) -> Referred:
    """Keep the sections sent, sealed, for those who may see both children. `known`: the child has a
    file, which was to be changed. `own_id`: its sender knows its id, by which it is known again;
    else that is made of what was sent. `contents`: of what was sent (`contents_of`), sent again so
    it is the same referral; while that is open, what was sent last counts. `aside`: what of it is
    not in the file. Raises AnsweredAlready if it was answered and no file opened of it.
    """
    by_number = reason == "resident_id"
    other = await numbers.other_file(tx, child.id, file.identity) if by_number else child.id
    sent = _dumped(file, sections, aside)
    of = of_child(child.id) if known else None
    contents = contents or contents_of(tx, file, file, sections)
    content = contents[0]
    made = [UUID(bytes=each[:16], version=4) for each in contents[::_WAYS]]
    submitted = [child.id] if own_id else made
    async with tx.as_system():
        before = await tx.connection.fetchrow(
            _REFERRED_BEFORE, submitted, principal.agencies, reason, other, contents, known
        )
        if before is not None:
            if before["open"]:
                sealed = tx.keyring.seal(referred.SUBMITTED, before["id"], sent, of)
                await tx.connection.execute(_SENT_LAST, before["id"], sealed, content)
            elif known or before["child_id"] is None:
                raise AnsweredAlready(headers={"location": f"/v1/unresolved/{before['id']}"})
            return Referred(before["id"], None if known else before["child_id"])
    referral_id = new_id()
    values = {
        "child_id": child.id if known else None,
        "other_child_id": other,
        "submitted_id": submitted[0],
        "submitted_role": principal.role.code,
        "agency_id": principal.agency_id,
        "submitted_sealed": tx.keyring.seal(referred.SUBMITTED, referral_id, sent, of),
        "content_mac": content,
    }
    await store_referral(tx, referral_id, child.region_code, reason, principal.subject, values)
    return Referred(referral_id)


_WAYS: Final = 3
"""So many digests `contents_of` makes under each index key, that of now first."""


def contents_of(
    tx: Tx,
    as_sent: File,
    placed: File,
    sections: Collection[str],
    unread: Mapping[str, Any] | None = None,
    strange: Collection[str] = (),
) -> list[bytes]:
    """Digest what was sent, to know it again: without what stands in fields nobody knows
    (`strange`), and as releases before knew it, with that, and by the codes its places had then.
    """
    ours = {name: said for name, said in (unread or {}).items() if name not in strange}
    said = (
        _dumped(as_sent, sections, ours),
        _dumped(as_sent, sections, unread),
        _dumped(placed, sections),
    )
    rings = tx.keyring.each()
    return [
        ring.blind_index("duplicate_referrals", each.decode()) for ring in rings for each in said
    ]


async def opened_of(
    tx: Tx, principal: Principal, submitted: UUID, contents: Sequence[bytes]
) -> UUID | None:
    """Return the file that was opened of what was referred under an id with just this content
    (`contents_of`); None if none was.
    """
    async with tx.as_system():
        found: UUID | None = await tx.connection.fetchval(
            _OPENED_OF, submitted, principal.agencies, contents
        )
    return found


_OPENED_OF: Final = """
SELECT child_id FROM duplicate_referrals
WHERE submitted_id = $1 AND agency_id = ANY ($2) AND content_mac = ANY ($3)
  AND settled_at IS NOT NULL AND child_id IS NOT NULL
ORDER BY settled_at DESC, id LIMIT 1
"""


def _dumped(file: File, sections: Collection[str], aside: Mapping[str, Any] | None = None) -> bytes:
    said: dict[str, Any] = {name: getattr(file, name).model_dump() for name in sections}
    return orjson.dumps({**said, referred.ASIDE: aside} if aside else said)


_REFERRED_BEFORE: Final = """
SELECT id, child_id, settled_at IS NULL AS open FROM duplicate_referrals
WHERE submitted_id = ANY ($1::uuid[]) AND agency_id = ANY ($2)
  AND (settled_at IS NULL OR content_mac = ANY ($5))
  AND ((reason = $3 AND other_child_id IS NOT DISTINCT FROM $4)
       OR (settled_at IS NOT NULL AND child_id IS NOT NULL AND NOT $6))
ORDER BY settled_at DESC NULLS FIRST, id LIMIT 1
"""

_SENT_LAST: Final = """
UPDATE duplicate_referrals SET submitted_sealed = $2, content_mac = $3
WHERE id = $1 AND content_mac IS DISTINCT FROM $3
"""


async def store_referral(
    tx: Tx, referral_id: UUID, region_code: int, reason: str, by: str, values: Mapping[str, object]
) -> None:
    """Keep that two files may be one child, or that one was not opened, and announce it."""
    place = {"region_code": region_code, "home_county": county_of(region_code)}
    said = {"reason": reason, "submitted_by": by, "created_at": tx.now, **values}
    row = {"id": referral_id, **place, **said}
    if await sql.insert(tx.connection, "duplicate_referrals", row, unless_taken=True):
        await announcements.publish(tx, events.DuplicateSuspected(subject_id=referral_id, **place))
