"""reports that are not on their way are found by place

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0045
Revises: 0044
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0045"
down_revision: str | Sequence[str] | None = "0044"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_unrouted")
        op.create_index(
            "ix_police_reports_unrouted",
            "police_reports",
            ["region_code", "filed_at"],
            unique=False,
            postgresql_where=sa.text(
                "routing <> 'routed' AND acknowledged_at IS NULL AND relieved_at IS NULL AND superseded_by_id IS NULL"
            ),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_police_reports_unrouted",
            table_name="police_reports",
            postgresql_where=sa.text(
                "routing <> 'routed' AND acknowledged_at IS NULL AND relieved_at IS NULL AND superseded_by_id IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
