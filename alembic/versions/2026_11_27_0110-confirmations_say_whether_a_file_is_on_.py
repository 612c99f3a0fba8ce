"""confirmations say whether a file is on paper too

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0110
Revises: 0109
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0110"
down_revision: str | Sequence[str] | None = "0109"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("confirmations", sa.Column("on_paper", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("confirmations", "on_paper")
