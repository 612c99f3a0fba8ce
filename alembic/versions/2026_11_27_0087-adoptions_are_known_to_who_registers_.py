"""adoptions are known to who registers them

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0087
Revises: 0086
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0087"
down_revision: str | Sequence[str] | None = "0086"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("children", sa.Column("adoption_sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("children", "adoption_sealed")
