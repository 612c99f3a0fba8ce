"""fill what agencies learn nothing of

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0044
Revises: 0043
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0044"
down_revision: str | Sequence[str] | None = "0043"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Of a chain of corrections each report is hidden from all whom any of them speaks against; while
    # nobody knows whom one means, from the offices below the county.
    chain = (
        "(WITH RECURSIVE chain AS (SELECT police_reports.id, police_reports.supersedes_id,"
        " police_reports.superseded_by_id, police_reports.suspect_agency_id, police_reports.doubts"
        " UNION SELECT r.id, r.supersedes_id, r.superseded_by_id, r.suspect_agency_id, r.doubts"
        " FROM chain JOIN police_reports r ON r.id IN (chain.supersedes_id, chain.superseded_by_id)"
        ") SELECT {} FROM chain)"
    )
    suspects = chain.format(
        "coalesce(array_agg(DISTINCT suspect_agency_id)"
        " FILTER (WHERE suspect_agency_id IS NOT NULL), '{}')"
    )
    unknown = chain.format("bool_or('agency_unknown' = ANY (doubts))")
    in_batches(
        "police_reports",
        f"hidden_from = ARRAY(SELECT unnest(hidden_from || {suspects}) AS agency"
        f" GROUP BY agency ORDER BY agency),"
        f" hidden_below = CASE WHEN {unknown} THEN greatest(hidden_below, 1000000)"
        " ELSE hidden_below END",
        where=f"NOT hidden_from @> {suspects} OR (hidden_below = 0 AND {unknown})",
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
