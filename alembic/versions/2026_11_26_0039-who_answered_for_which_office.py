"""who answered for which office

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0039
Revises: 0038
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0039"
down_revision: str | Sequence[str] | None = "0038"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("unresolved", sa.Column("answered_by", sa.String(), nullable=True))
    op.add_column("unresolved", sa.Column("their_answered_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("unresolved", "their_answered_by")
    op.drop_column("unresolved", "answered_by")
