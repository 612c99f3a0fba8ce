"""a state few reports are in has an index

Revision: 0190
Revises: 0189
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0190"
down_revision: str | Sequence[str] | None = "0189"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_state")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_police_reports_state"
            " ON police_reports (state, filed_at, id)"
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_state")
