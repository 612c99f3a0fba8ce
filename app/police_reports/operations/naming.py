"""Who is hidden from once it is said whom a report speaks against, and once that is taken back."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.police_reports.operations.counting import count_anew
from app.police_reports.operations.hidden import CHAIN, note

_ACCUSED: Final = f"""{CHAIN}
SELECT coalesce(array_agg(DISTINCT agency ORDER BY agency), '{{}}')
FROM (SELECT unnest(CASE WHEN r.suspect_agency_id IS NOT NULL
                         THEN r.suspect_agency_id || CASE WHEN r.suspect_step_id IS NULL
                                                     THEN r.meant END
                         WHEN $2::uuid IS NOT NULL AND 'agency_unknown' = ANY (r.doubts)
                         THEN ARRAY[$2] ELSE r.meant END)
      FROM police_reports r JOIN chain ON chain.id = r.id) AS named (agency)
"""
"""With none named, those that bear the name in the words stay accused."""

_NAME: Final = f"""{CHAIN}
UPDATE police_reports SET hidden_from = $3, hidden_below = 0, police_below = 0, updated_at = $4,
    version = version + CASE WHEN id = $1 THEN 0 ELSE 1 END,
    suspect_step_id = CASE WHEN 'agency_unknown' = ANY (doubts) THEN $5 ELSE suspect_step_id END,
    doubts = array_remove(doubts, 'agency_unknown'),
    suspect_agency_id = CASE WHEN 'agency_unknown' = ANY (doubts)
        THEN coalesce($2, suspect_agency_id) ELSE suspect_agency_id END
WHERE id IN (SELECT id FROM chain)
"""
_BEFORE: Final = f"""{CHAIN}
SELECT s.id, s.codes FROM police_report_steps s
WHERE s.id IN (SELECT r.suspect_step_id FROM police_reports r JOIN chain ON chain.id = r.id)
"""
_UNNAME: Final = f"""{CHAIN}
UPDATE police_reports SET suspect_agency_id = NULL, suspect_step_id = NULL, updated_at = $2,
    version = version + CASE WHEN id = $1 THEN 0 ELSE 1 END,
    doubts = array_append(doubts, 'agency_unknown')
WHERE id IN (SELECT id FROM chain) AND suspect_step_id IS NOT NULL
"""
_HIDE: Final = f"""{CHAIN}
UPDATE police_reports SET hidden_from = $2, hidden_below = $3, police_below = $4
WHERE id IN (SELECT id FROM chain)
"""


async def accused_with(tx: Tx, report_id: UUID, agency_id: UUID | None) -> list[UUID]:
    """Return whom a chain speaks against, if its words mean this agency, or none."""
    async with tx.as_system():
        found: list[UUID] = await tx.connection.fetchval(_ACCUSED, report_id, agency_id)
    return found


async def name(
    tx: Tx, report_id: UUID, agency_id: UUID | None, accused: list[UUID], step_id: UUID
) -> None:
    """Let the reports of a chain say whom their words mean, by a step."""
    async with tx.as_system():
        await tx.connection.execute(_NAME, report_id, agency_id, accused, tx.now, step_id)
    await count_anew(tx, report_id)
    await note(tx, report_id)


async def unname(tx: Tx, report: Mapping[str, Any]) -> None:
    """Take back whom others than the reporter have named; whoever was hidden from for that alone
    sees the reports again. What the words mean is open as it was before, by what the step kept of
    that.
    """
    async with tx.as_system():
        before = [
            row["codes"]["before"] for row in await tx.connection.fetch(_BEFORE, report["id"])
        ]
        await tx.connection.execute(_UNNAME, report["id"], tx.now)
        accused = {*await accused_with(tx, report["id"], None)}
        accused |= {UUID(each) for one in before for each in one["hidden_from"]}
        below = max([report["hidden_below"], *(one["hidden_below"] for one in before)])
        police_below = max([report["police_below"], *(one["police_below"] for one in before)])
        await tx.connection.execute(_HIDE, report["id"], sorted(accused), below, police_below)
    await count_anew(tx, report["id"], {*report["hidden_from"]} - accused)
    await note(tx, report["id"])
