"""what day was sent of a return

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0080
Revises: 0079
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0080"
down_revision: str | Sequence[str] | None = "0079"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("dropout_alerts", sa.Column("stated_on", sa.Date(), nullable=True))
    op.add_column("dropout_measures", sa.Column("stated_on", sa.Date(), nullable=True))
    op.add_column("dropout_persuasions", sa.Column("stated_on", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("dropout_persuasions", "stated_on")
    op.drop_column("dropout_measures", "stated_on")
    op.drop_column("dropout_alerts", "stated_on")
