"""what a stand-in does counts

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0115
Revises: 0114
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0115"
down_revision: str | Sequence[str] | None = "0114"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("duty_evidence", sa.Column("stand_in", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("duty_evidence", "stand_in")
