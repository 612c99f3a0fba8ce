"""a file is erased

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0213
Revises: 0212
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0213"
down_revision: str | Sequence[str] | None = "0212"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "rights_requests", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("rights_requests", sa.Column("erased_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("rights_requests", "erased_by")
    op.drop_column("rights_requests", "erased_at")
