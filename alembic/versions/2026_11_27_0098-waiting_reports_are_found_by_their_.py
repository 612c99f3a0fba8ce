"""waiting reports are found by their police

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0098
Revises: 0097
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0098"
down_revision: str | Sequence[str] | None = "0097"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_unrouted_of")
        op.create_index(
            "ix_police_reports_unrouted_of",
            "police_reports",
            ["police_agency_id", "region_code"],
            unique=False,
            postgresql_where=sa.text(
                "routing <> 'routed' AND acknowledged_at IS NULL AND relieved_at IS NULL"
            ),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_police_reports_unrouted_of",
            table_name="police_reports",
            postgresql_where=sa.text(
                "routing <> 'routed' AND acknowledged_at IS NULL AND relieved_at IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
