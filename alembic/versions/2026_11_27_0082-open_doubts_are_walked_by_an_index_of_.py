"""open doubts are walked by an index of their own

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0082
Revises: 0081
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0082"
down_revision: str | Sequence[str] | None = "0081"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_presence_doubts_open")
        op.create_index(
            "ix_presence_doubts_open",
            "presence_doubts",
            ["id"],
            unique=False,
            postgresql_where=sa.text("finding IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_presence_doubts_open",
            table_name="presence_doubts",
            postgresql_where=sa.text("finding IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
