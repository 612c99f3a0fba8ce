"""what a file was sent with and does not hold

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0077
Revises: 0076
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0077"
down_revision: str | Sequence[str] | None = "0076"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("child_changes", sa.Column("content_mac", sa.LargeBinary(), nullable=True))
    op.add_column("children", sa.Column("as_sent_sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("children", "as_sent_sealed")
    op.drop_column("child_changes", "content_mac")
