"""who sent what waits is known again

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0191
Revises: 0190
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0191"
down_revision: str | Sequence[str] | None = "0190"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("spooled_reports", sa.Column("sender_index", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("spooled_reports", "sender_index")
