"""fill why and where from what was written

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0093
Revises: 0092
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0093"
down_revision: str | Sequence[str] | None = "0092"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    written = "FROM dropout_written_reports r WHERE r.alert_id = dropout_alerts.id"
    in_batches(
        "dropout_alerts",
        f"(cause, whereabouts) = (SELECT r.cause, r.whereabouts {written})",
        where=f"cause IS NULL AND EXISTS (SELECT {written})",
        reads=("dropout_written_reports",),
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
