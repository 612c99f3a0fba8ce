"""which police are sent nothing more

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0071
Revises: 0070
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0071"
down_revision: str | Sequence[str] | None = "0070"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Of the reports alone: what is owed or asked for them is sent to no police.
    in_batches(
        "hidden_subjects",
        "police_below = (SELECT r.police_below FROM police_reports r WHERE r.id = subject_id)",
        where="police_below = 0 AND EXISTS (SELECT 1 FROM police_reports r"
        " WHERE r.id = subject_id AND r.police_below > 0)",
        reads=("police_reports",),
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
