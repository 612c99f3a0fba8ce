"""when a periodic job came to its end

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0181
Revises: 0180
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0181"
down_revision: str | Sequence[str] | None = "0180"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("job_schedules", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "job_schedules", sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("job_schedules", "succeeded_at")
    op.drop_column("job_schedules", "begun_at")
