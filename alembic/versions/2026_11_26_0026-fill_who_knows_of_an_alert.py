"""fill who knows of an alert

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0026
Revises: 0025
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0026"
down_revision: str | Sequence[str] | None = "0025"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Below the alert it is said as soon as the alert is handed over; until then the school sees it.
    in_batches(
        "dropout_alerts",
        "known_to = school_id || ARRAY(SELECT e.id FROM agencies s JOIN agencies e"
        " ON e.region_code = s.region_code / 1000000 * 1000000"
        " WHERE s.id = dropout_alerts.school_id AND e.kind = 'education' AND e.active"
        " ORDER BY e.created_at, e.id LIMIT 1)",
        where="known_to = '{}'",
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
