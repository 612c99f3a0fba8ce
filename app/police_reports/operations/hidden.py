"""Who learns nothing of a report: whom any report of its chain of corrections speaks against, and,
while nobody knows whom words mean, the offices they may mean (AZ-8).
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.attendance import asked
from app.core.data import hiding
from app.core.data.db import Tx

CHAIN: Final = """
WITH RECURSIVE chain AS (
    SELECT id, supersedes_id, superseded_by_id, suspect_agency_id FROM police_reports WHERE id = $1
    UNION
    SELECT r.* FROM chain CROSS JOIN LATERAL (
        SELECT r.id, r.supersedes_id, r.superseded_by_id, r.suspect_agency_id FROM police_reports r
        WHERE r.id = ANY (ARRAY[chain.supersedes_id, chain.superseded_by_id]) OFFSET 0) AS r
)
"""
"""A report, all it corrects and all that correct it."""

_HIDE: Final = f"""{CHAIN}
UPDATE police_reports SET hidden_below = $3, police_below = $4, hidden_from = ARRAY(
    SELECT DISTINCT unnest(hidden_from || $2::uuid[]) AS agency ORDER BY agency)
WHERE id IN (SELECT id FROM chain)
"""
_NOTE: Final = f"""{CHAIN}, asked AS (
    SELECT id AS report_id, id, NULL::uuid AS asked_id FROM chain
    UNION ALL SELECT u.about_id, u.id, NULL FROM chain JOIN unresolved u ON u.about_id = chain.id
    UNION ALL SELECT f.source_id, f.id, f.to_id FROM chain JOIN referrals f
        ON f.source_id = chain.id
    UNION ALL SELECT s.report_id, s.id, NULL FROM chain
    JOIN police_report_steps s ON s.report_id = chain.id AND s.step = 'disposed'
), about AS (
    SELECT report_id, id, asked_id FROM asked
    UNION ALL SELECT a.report_id, d.id, a.asked_id FROM asked a JOIN duties d ON d.subject_id = a.id
)
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, police_below, filed_by_id)
SELECT a.id, r.hidden_from, r.hidden_below, r.police_below,
       coalesce(a.asked_id, r.reporter_agency_id)
FROM about a
CROSS JOIN LATERAL (SELECT * FROM police_reports r WHERE r.id = a.report_id OFFSET 0) AS r
WHERE cardinality(r.hidden_from) > 0 OR r.hidden_below > 0
   OR EXISTS (SELECT FROM hidden_subjects h WHERE h.subject_id = a.id)
ORDER BY a.id
ON CONFLICT (subject_id) DO UPDATE
SET hidden_from = excluded.hidden_from, hidden_below = excluded.hidden_below,
    police_below = excluded.police_below, filed_by_id = excluded.filed_by_id
RETURNING subject_id
"""
"""For the lists that know a report, what is asked or owed for it, or where the police took a child,
by its id alone.
"""
_CHILDREN: Final = f"""{CHAIN}
SELECT DISTINCT r.child_id FROM police_reports r JOIN chain ON chain.id = r.id
WHERE r.child_id IS NOT NULL
"""


async def hide(
    tx: Tx,
    report_id: UUID,
    hidden_from: Sequence[UUID],
    hidden_below: int = 0,
    police_below: int = 0,
) -> None:
    """Hide all reports of a chain of corrections from those one of them is hidden from."""
    async with tx.as_system():
        await tx.connection.execute(_HIDE, report_id, hidden_from, hidden_below, police_below)
    await note(tx, report_id)


async def note(tx: Tx, report_id: UUID) -> None:
    """Let every list know from whom the reports of a chain are hidden, as they say by now."""
    async with tx.as_system():
        noted = await tx.connection.fetch(_NOTE, report_id)
        await hiding.note(tx.connection, [row["subject_id"] for row in noted])
        children = await tx.connection.fetch(_CHILDREN, report_id)
        await asked.hide(tx, [row["child_id"] for row in children])
