"""the paper of an order and the day to be back

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0091
Revises: 0090
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0091"
down_revision: str | Sequence[str] | None = "0090"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("dropout_measures", sa.Column("order_number", sa.String(), nullable=True))
    op.add_column("dropout_measures", sa.Column("back_by", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("dropout_measures", "back_by")
    op.drop_column("dropout_measures", "order_number")
