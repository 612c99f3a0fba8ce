"""late duties are told on and no duty is without an owner

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0097
Revises: 0096
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0097"
down_revision: str | Sequence[str] | None = "0096"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "duties", sa.Column("stands_in_for", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "duties",
        sa.Column("late_before_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "duties",
        sa.Column("escalated", sa.Integer(), server_default="0", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "duties",
        sa.Column(
            "escalates_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=True,
        ),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_escalates_at")
        op.create_index(
            "ix_duties_escalates_at",
            "duties",
            ["escalates_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'overdue' AND escalates_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("duties", "escalates_at", if_exists=True)
    op.drop_column("duties", "escalated", if_exists=True)
    op.drop_column("duties", "late_before_at", if_exists=True)
    op.drop_column("duties", "stands_in_for", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duties_escalates_at",
            table_name="duties",
            postgresql_where=sa.text("state = 'overdue' AND escalates_at IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
