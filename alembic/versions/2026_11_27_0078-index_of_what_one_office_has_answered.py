"""index of what one office has answered

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0078
Revises: 0077
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0078"
down_revision: str | Sequence[str] | None = "0077"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_answered")
        op.create_index(
            "ix_unresolved_answered",
            "unresolved",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state = 'open' AND kind = 'referral' AND answer IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_unresolved_answered",
            table_name="unresolved",
            postgresql_where=sa.text("state = 'open' AND kind = 'referral' AND answer IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
