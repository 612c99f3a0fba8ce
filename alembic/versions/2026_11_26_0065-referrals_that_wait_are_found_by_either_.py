"""referrals that wait are found by either child

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0065
Revises: 0064
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0065"
down_revision: str | Sequence[str] | None = "0064"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duplicate_referrals_waiting_child")
        op.create_index(
            "ix_duplicate_referrals_waiting_child",
            "duplicate_referrals",
            ["child_id"],
            unique=False,
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duplicate_referrals_waiting_other")
        op.create_index(
            "ix_duplicate_referrals_waiting_other",
            "duplicate_referrals",
            ["other_child_id"],
            unique=False,
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duplicate_referrals_waiting_other",
            table_name="duplicate_referrals",
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duplicate_referrals_waiting_child",
            table_name="duplicate_referrals",
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
