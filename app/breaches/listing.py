"""Which children were read in a time, read out of the audit: the list of whom to tell (MNP-35)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from app.agencies import queries as agencies
from app.agencies.models import AgencyKind
from app.audit import operations as audit
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http.shown import Seen
from app.regions.rules import NATION

_AT_A_TIME: Final = 1_000
# By the time, of which each month has an index; then each child by its key. One that is only stored
# lies nowhere: of it the county that opened its file tells.
SEEN: Final = """
WITH seen AS MATERIALIZED (
    SELECT k.child_id, count(*) AS looks, min(a.at) AS first_at, max(a.at) AS last_at,
        array_agg(DISTINCT a.operation ORDER BY a.operation) AS operations
    FROM audit_entries a CROSS JOIN LATERAL unnest(a.child_ids) AS k (child_id)
    WHERE {where} GROUP BY k.child_id
)
SELECT s.child_id, s.looks, s.first_at, s.last_at, s.operations,
    coalesce(nullif(c.region_code, {nation}), c.home_county) AS place
FROM seen s LEFT JOIN LATERAL (
    SELECT c.region_code, c.home_county FROM children c WHERE c.id = s.child_id LIMIT 1) c ON true
ORDER BY place, s.child_id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """From when to when (not included), and by whom, with what, if only that is meant."""

    since: datetime
    until: datetime
    actor: str | None = None
    client_id: UUID | None = None
    operation: str | None = None


class Concerned(NamedTuple):
    """A child whose data was shown or changed, and whose office tells its family. `place`: where it
    lives, None if there is no such file; `office`: the nearest township or civil affairs.
    """

    child_id: UUID
    looks: int
    first_at: datetime
    last_at: datetime
    operations: list[str]
    place: int | None
    office_id: UUID | None
    office: str | None


def statement(asked: Asked) -> tuple[str, list[object]]:
    """Return the statement that finds them, and its values."""
    where = _meant(asked)
    return SEEN.format(where=where, nation=NATION), where.arguments


def _meant(asked: Asked) -> Where:
    where = Where("a.at >= {} AND a.at < {}", asked.since, asked.until)
    given = {"a.actor = {}": asked.actor, "a.client_id = {}": asked.client_id}
    return where.add_given({**given, "a.operation = {}": asked.operation})


async def concerned(tx: Tx, asked: Asked) -> AsyncIterator[Concerned]:
    """Yield them, by place, a thousand at a time, in SYSTEM's reach. That it was asked is recorded,
    whoever it is about.
    """
    await audit.record(tx, audit.SYSTEM, "breach", Seen(since=local_date(asked.since)))
    offices: dict[int, tuple[UUID, str] | None] = {}
    text, values = statement(asked)
    async for row in tx.connection.cursor(text, *values, prefetch=_AT_A_TIME):
        place = row["place"]
        if place is not None and place not in offices:
            offices[place] = await _office(tx, place)
        office = offices[place] if place is not None else None
        yield Concerned(*row, *(office or (None, None)))


# What nobody found is no proof that nobody looked: a slip in a name finds nothing either, and a
# report about a child whom nobody knows names none.
_LOOKS: Final = """
SELECT a.operation, count(*) AS looks, count(*) FILTER (WHERE a.purpose IS NOT NULL
    AND a.actor <> 'system' AND a.decision = 'allowed' AND cardinality(a.child_ids) = 0
    AND (a.subject_id IS NOT NULL OR cardinality(a.beside_ids) > 0)) AS unnamed
FROM audit_entries a WHERE {where} GROUP BY a.operation ORDER BY a.operation
"""


async def looks(tx: Tx, asked: Asked) -> tuple[int, dict[str, int]]:
    """Return how many rows of the record are meant, and how many, by operation, show what names no
    child with a file: reports, what cannot be placed.
    """
    where = _meant(asked)
    rows = await tx.connection.fetch(_LOOKS.format(where=where), *where.arguments)
    unnamed = {row["operation"]: row["unnamed"] for row in rows if row["unnamed"]}
    return sum(row["looks"] for row in rows), unnamed


async def _office(tx: Tx, place: int) -> tuple[UUID, str] | None:
    for kind in (AgencyKind.township_government, AgencyKind.civil_affairs):
        found = await agencies.serving(tx, kind, place)
        office = None if found is None else await agencies.find(tx, found)
        if office is not None:
            return office.id, office.name
    return None
