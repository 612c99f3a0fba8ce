"""What was referred (`duplicates.refer`) until somebody has looked whether two files are one child:
for the offices concerned, and for jobs.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.access.roles import role
from app.children import queries
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import Erased
from app.core.ids import new_id

SUBMITTED: Final = "duplicate_referrals.submitted_sealed"
ASIDE: Final = "as_sent"
"""Beside the sections: what of what was sent is not in them."""

_REFERRAL = """
SELECT d.*, coalesce(c.region_code, d.region_code) AS lives_in, o.region_code AS other_lives_in
FROM duplicate_referrals d
LEFT JOIN children c ON c.id = d.child_id LEFT JOIN children o ON o.id = d.other_child_id
WHERE d.id = $1
"""


async def referral(tx: Tx, referral_id: UUID) -> asyncpg.Record | None:
    """Read a referral, and where the two children live now: `lives_in`, where the file was to be
    opened if there is none, and `other_lives_in`. For jobs.
    """
    return await tx.connection.fetchrow(_REFERRAL, referral_id)


_WAITING = """
SELECT id FROM duplicate_referrals WHERE other_child_id = $1 AND settled_at IS NULL
UNION SELECT id FROM duplicate_referrals WHERE child_id = $1 AND settled_at IS NULL ORDER BY id
"""
_WAITING_IN = """
SELECT d.id FROM duplicate_referrals d
LEFT JOIN children c ON c.id = d.child_id LEFT JOIN children o ON o.id = d.other_child_id
WHERE d.settled_at IS NULL AND (
    (d.region_code >= $1 AND d.region_code < $2) OR (c.region_code >= $1 AND c.region_code < $2)
    OR (o.region_code >= $1 AND o.region_code < $2))
ORDER BY d.id
"""
_FOLLOW = """
UPDATE duplicate_referrals SET region_code = $2 WHERE id = $1 AND submitted_sealed IS NOT NULL
"""


async def waiting(tx: Tx, child_id: UUID) -> list[UUID]:
    """Return the referrals of a child's file that nobody has answered yet. For jobs."""
    return [row["id"] for row in await tx.connection.fetch(_WAITING, child_id)]


async def waiting_in(tx: Tx, lo: int, hi: int) -> list[UUID]:
    """Return the referrals of a place that nobody has answered yet: either file lives there, or was
    to be opened there. For jobs.
    """
    return [row["id"] for row in await tx.connection.fetch(_WAITING_IN, lo, hi)]


async def move_referral(tx: Tx, referral_id: UUID, region_code: int) -> None:
    """Let what was sent be read where the file lives that was to be changed. For jobs."""
    await tx.connection.execute(_FOLLOW, referral_id, region_code)


async def submission(tx: Tx, principal: Principal, referral_id: UUID) -> dict[str, Any] | None:
    """Return what was sent and referred, as far as the caller's role reads such sections; None if
    it was not sent, or not from a place in the caller's range.
    """
    row = await tx.connection.fetchrow(
        "SELECT id, submitted_id, submitted_sealed, child_id, settled_at, created_at"
        " FROM duplicate_referrals WHERE id = $1 AND submitted_sealed IS NOT NULL",
        referral_id,
    )
    if row is None:
        return None
    await keys.of_values(tx, row["submitted_sealed"])
    readable = queries.readable(principal)
    sections = sections_of(tx, row)
    return {**row, "sections": {name: sections[name] for name in readable if name in sections}}


def sections_of(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections that a referral keeps, and what is beside them (`ASIDE`), if anything;
    none of a child that was erased.
    """
    try:
        raw = tx.keyring.unseal_bytes(SUBMITTED, row["id"], row["submitted_sealed"])
    except Erased:
        return {}
    sections: dict[str, Any] = orjson.loads(raw)
    return sections


# The two are not asked about again for their name (`alike.refer_namesakes`).
_SETTLE: Final = """
WITH answered AS (
    UPDATE duplicate_referrals SET settled_at = $2, child_id = coalesce($3, child_id)
    WHERE id = $1 RETURNING *
)
INSERT INTO duplicate_referrals (id, home_county, region_code, reason, child_id, other_child_id,
    submitted_by, created_at, settled_at)
SELECT $4, home_county, region_code, 'name_and_birth_date', child_id, other_child_id,
    submitted_by, $2, $2
FROM answered WHERE $3 IS NOT NULL AND other_child_id IS NOT NULL ON CONFLICT DO NOTHING
"""


async def settle_referral(tx: Tx, referral_id: UUID, *, opened: UUID | None = None) -> None:
    """Note that the offices concerned have answered, and which file was `opened` then: it is
    another child's than the other file.
    """
    await tx.connection.execute(_SETTLE, referral_id, tx.now, opened, new_id())


def sender_of(found: Mapping[str, Any]) -> Principal:
    """Return who sent what was referred, as far as the file's history names them."""
    return Principal(
        subject=found["submitted_by"],
        staff_id=None,
        client_id=None,
        agency_id=found["agency_id"],
        agency_kind="",
        # Of what was sent before roles were kept it is said that the office opened it.
        role=role(found["submitted_role"] or "civil_affairs"),
        region_code=found["region_code"],
        region_lo=0,
        region_hi=0,
        scopes=frozenset(),
        request_id="referral",
        ip=None,
    )
