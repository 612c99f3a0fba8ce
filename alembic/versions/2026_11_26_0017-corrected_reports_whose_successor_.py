"""corrected reports whose successor arrived are relieved

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0017
Revises: 0016
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0017"
down_revision: str | Sequence[str] | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Until now whatever was corrected left the alarms at once; from here only once a report that
    # took its place has reached the police.
    in_batches(
        "police_reports",
        "relieved_at = updated_at",
        where="relieved_at IS NULL AND EXISTS (SELECT 1 FROM police_reports s"
        " WHERE s.id = police_reports.superseded_by_id AND s.delivered_at IS NOT NULL)",
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
