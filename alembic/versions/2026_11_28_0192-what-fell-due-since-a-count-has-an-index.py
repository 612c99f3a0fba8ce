"""what fell due since a count has an index

Revision: 0192
Revises: 0191
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0192"
down_revision: str | Sequence[str] | None = "0191"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_once_owed")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_duties_county_once_owed"
            " ON duties (county_code, due_at)"
            " WHERE state IN ('open', 'overdue') AND period = ''"
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_once_owed")
