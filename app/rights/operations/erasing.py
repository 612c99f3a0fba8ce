"""Erasing a file: its key goes, and with it all that was sealed under it, from every copy."""

from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.core.data import keys, resealing, sealed
from app.core.data.db import Tx
from app.core.data.envelopes import Whose, of_child
from app.core.http.preconditions import check_version
from app.core.jobs import events
from app.core.problems import Problem
from app.rights.acts import ACTS


class StillNeeded(Problem, status=409):
    """Something under way needs the file. It says not what, for whoever asks may be whom it is
    about (AZ-8).
    """

    title = "Something under way still needs this file; it stays stored and nothing else"
    title_zh = "仍有未办结事项需要该档案;档案继续仅予存储"


class NotSealedYet(Problem, status=409):
    """Something of the child is not under its own key yet, which would not take it along."""

    title = "Not all of this file is under its own key yet; the operator re-encrypts first"
    title_zh = "该档案尚未全部由其专用密钥加密;请先由运营人员重新加密"


_HOLD: Final = "SELECT FROM children WHERE home_county = $1 AND id = $2 FOR UPDATE"
# Of a report only that of now: those it took the place of ended with it.
_NEEDED: Final = """
SELECT EXISTS (SELECT FROM police_reports r WHERE r.child_county = $1 AND r.child_id = $2
        AND r.state <> 'closed' AND r.superseded_by_id IS NULL)
    OR EXISTS (SELECT FROM dropout_alerts a
        WHERE a.home_county = $1 AND a.child_id = $2 AND a.ended_on IS NULL)
    OR EXISTS (SELECT FROM referrals r
        WHERE r.home_county = $1 AND r.child_id = $2 AND r.state IN ('open', 'accepted'))
    OR EXISTS (SELECT FROM unresolved u
        WHERE (u.child_id = $2 OR u.other_child_id = $2) AND u.state = 'open')
    OR EXISTS (SELECT FROM duplicate_referrals d
        WHERE (d.child_id = $2 OR d.other_child_id = $2) AND d.settled_at IS NULL)
"""
_IN_PLAIN: Final = """
SELECT EXISTS (SELECT FROM visits WHERE home_county = $1 AND child_id = $2 AND findings <> '[]')
"""
# What tells of a case has the child, a visit or a referral for its subject.
_ITS_EVENTS: Final = """
t.{} IN (SELECT e.id FROM events e WHERE e.wire_name = ANY ($3) AND e.subject_id = ANY (ARRAY(
    SELECT $2::uuid
    UNION ALL SELECT v.id FROM visits v WHERE v.home_county = $1 AND v.child_id = $2
    UNION ALL SELECT r.id FROM referrals r WHERE r.home_county = $1 AND r.child_id = $2)))
"""
_OF_THE_CHILD: Final = {
    "referrals": "t.home_county = $1 AND t.child_id = $2",
    "events": _ITS_EVENTS.format("id"),
    "webhook_deliveries": _ITS_EVENTS.format("event_id"),
}
"""Of tables in which a release before left codes in the clear, the rows about a child."""
_FOUND_BY: Final = ("child_names", "resident_ids", "child_external_ids")
"""What finds the child by a name or number."""
_FORGET: Final = "DELETE FROM {} WHERE home_county = $1 AND child_id = $2"
_BLANK: Final = """
UPDATE children SET name = '', name_canonical = '', name_reversed = '', name_pinyin = '',
    name_initials = '', name_pinyin_2 = NULL, name_initials_2 = NULL, name_pinyin_3 = NULL,
    name_initials_3 = NULL, name_index = NULL, welfare = welfare - 'aids', next_change_on = NULL,
    version = version + 1, updated_at = $3
WHERE home_county = $1 AND id = $2
"""
_ERASE: Final = "UPDATE child_keys SET wrapped = $3 WHERE home_county = $1 AND child_id = $2"
_DONE: Final = """
UPDATE rights_requests SET erased_at = $3, erased_by = $4, version = version + 1
WHERE home_county = $1 AND id = $2 RETURNING *
"""


async def erase_child_data(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, if_match: int
) -> asyncpg.Record:
    """Erase the file that a locked request for erasure restricts: its key, and what finds it. What
    is counted stays, and nobody reads the rest again. Raises PreconditionFailed, PersonRequired,
    NotRestricted, NotGranted, ErasedAlready, StillNeeded, NotSealedYet.
    """
    check_version(row["version"], if_match)
    ACTS["eraseChildData"].require(principal, row, tx.today)
    key = (row["home_county"], row["child_id"])
    async with tx.as_system():
        await tx.connection.execute(_HOLD, *key)
        if await tx.connection.fetchval(_NEEDED, *key):
            raise StillNeeded
        if await tx.connection.fetchval(_IN_PLAIN, *key):  # as the release before wrote them
            raise NotSealedYet
        await _all_under_its_key(tx, row)
        await _nothing_in_the_clear(tx, key)
        for table in _FOUND_BY:
            await tx.connection.execute(_FORGET.format(table), *key)
        await tx.connection.execute(_BLANK, *key, tx.now)
        await tx.connection.execute(_ERASE, *key, keys.ERASED)
        now: asyncpg.Record = await tx.connection.fetchrow(
            _DONE, row["home_county"], row["id"], tx.now, principal.subject
        )
    tx.keyring.opened[of_child(row["child_id"]).named] = keys.ERASED
    return now


async def _all_under_its_key(tx: Tx, row: asyncpg.Record) -> None:
    """Bring under the child's key what was sealed before it was known whose it is. Raises
    NotSealedYet if there is no key, or of what the app may not change.
    """
    of = of_child(row["child_id"])
    await keys.load(tx, [of], row["home_county"])
    if tx.keyring.opened[of.named] is None:
        raise NotSealedYet
    for table in sealed.TABLES:
        if table.whose is Whose.child:
            try:
                batch: Any = await resealing.seal_anew(tx, table, of=of)
            except asyncpg.InsufficientPrivilegeError:
                raise NotSealedYet from None
            if batch.refused:
                raise NotSealedYet


async def _nothing_in_the_clear(tx: Tx, key: tuple[int, UUID]) -> None:
    """Bring under the child's key the codes that a release before left in the clear. Raises
    NotSealedYet of what the app may not change.
    """
    telling = [name for name, kind in events.kinds().items() if kind.of_case]
    for plain in resealing.IN_PLAIN:
        if which := _OF_THE_CHILD.get(plain.table):
            values = (*key, telling) if "$3" in which else key
            try:
                batch: Any = await resealing.seal_plain_of(tx, plain, which, *values)
            except asyncpg.InsufficientPrivilegeError:
                raise NotSealedYet from None
            if batch.refused:
                raise NotSealedYet
