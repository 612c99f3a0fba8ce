"""how many duties are late is read from what is counted

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0242
Revises: 0241
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0242"
down_revision: str | Sequence[str] | None = "0241"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_told_late")
        op.create_index(
            "ix_duties_told_late",
            "duties",
            ["rule"],
            unique=False,
            postgresql_where=sa.text("told_to IS NOT NULL AND state = 'overdue'"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duty_counts_late")
        op.create_index(
            "ix_duty_counts_late",
            "duty_counts",
            ["rule"],
            unique=False,
            postgresql_include=["n"],
            postgresql_where=sa.text("outcome = 'overdue' AND chosen_by = 'all'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duty_counts_late",
            table_name="duty_counts",
            postgresql_include=["n"],
            postgresql_where=sa.text("outcome = 'overdue' AND chosen_by = 'all'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_told_late",
            table_name="duties",
            postgresql_where=sa.text("told_to IS NOT NULL AND state = 'overdue'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
