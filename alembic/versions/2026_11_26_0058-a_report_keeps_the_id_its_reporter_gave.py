"""a report keeps the id its reporter gave

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0058
Revises: 0057
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0058"
down_revision: str | Sequence[str] | None = "0057"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "police_reports", sa.Column("stated_child_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_stated")
        op.create_index(
            "ix_police_reports_stated",
            "police_reports",
            ["stated_child_id"],
            unique=False,
            postgresql_where=sa.text("stated_child_id IS NOT NULL AND child_id IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("police_reports", "stated_child_id", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_police_reports_stated",
            table_name="police_reports",
            postgresql_where=sa.text("stated_child_id IS NOT NULL AND child_id IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
