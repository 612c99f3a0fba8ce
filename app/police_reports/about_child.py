"""From whom the reports about a child are hidden: whoever they speak against learns nothing of what
others do for it either (AZ-8). For packages above; nobody else hears that there is a report.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from app.access.principal import Principal
from app.agencies.models import AgencyKind
from app.core.data.db import Tx
from app.regions.rules import subtree


@dataclass(frozen=True, slots=True)
class Kept:
    """From whom it is kept that something is done for a child: `agencies` and whoever served them,
    whose remit holds fewer codes than `below`, and police that hold fewer than `police_below`.
    """

    agencies: frozenset[UUID] = field(default_factory=frozenset)
    below: int = 0
    police_below: int = 0

    def __bool__(self) -> bool:
        return bool(self.agencies or self.below or self.police_below)

    def keeps_from(self, principal: Principal) -> bool:
        """Tell whether a caller must learn nothing."""
        accused = not self.agencies.isdisjoint(principal.agencies)
        codes = principal.region_hi - principal.region_lo
        return accused or codes < self._below(principal.agency_kind)

    def keeps_from_office(self, agency_id: UUID, kind: str, region_code: int) -> bool:
        """Tell whether an agency that serves a division must learn nothing."""
        lo, hi = subtree(region_code)
        return agency_id in self.agencies or hi - lo < self._below(kind)

    def _below(self, kind: str) -> int:
        return self.police_below if kind == AgencyKind.police else self.below


_ABOUT: Final = """
SELECT r.hidden_from, r.hidden_below, r.police_below FROM police_reports r
JOIN unnest($1::bigint[], $2::uuid[]) AS c (county, id)
    ON r.child_county = c.county AND r.child_id = c.id
UNION ALL
SELECT r.hidden_from, r.hidden_below, r.police_below FROM police_reports r
WHERE r.stated_child_id = ANY ($2::uuid[]) AND r.child_id IS NULL
"""


async def kept_from(tx: Tx, children: Collection[tuple[int, UUID]]) -> Kept:
    """Return from whom is kept what is done for some children, each the county that opened its file
    and its id; one statement, in SYSTEM's reach.
    """
    counties, ids = [county for county, _ in children], [child for _, child in children]
    rows = await tx.connection.fetch(_ABOUT, counties, ids)
    return Kept(
        frozenset(agency for row in rows for agency in row["hidden_from"]),
        _most(row["hidden_below"] for row in rows),
        _most(row["police_below"] for row in rows),
    )


def _most(said: Iterable[int]) -> int:
    return max(said, default=0)
