"""an abnormal finding is taken away by two

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0060
Revises: 0059
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0060"
down_revision: str | Sequence[str] | None = "0059"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("visits", sa.Column("withdrawal_by", sa.String(), nullable=True))
    op.add_column("visits", sa.Column("withdrawal_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("visits", sa.Column("withdrawal_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("visits", sa.Column("withdrawal_confirmed_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("visits", "withdrawal_confirmed_by")
    op.drop_column("visits", "withdrawal_sealed")
    op.drop_column("visits", "withdrawal_at")
    op.drop_column("visits", "withdrawal_by")
