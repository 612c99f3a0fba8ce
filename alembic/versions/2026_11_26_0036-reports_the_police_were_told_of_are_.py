"""reports the police were told of are found by index

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0036
Revises: 0035
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0036"
down_revision: str | Sequence[str] | None = "0035"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_forwarded")
        op.create_index(
            "ix_police_reports_forwarded",
            "police_reports",
            ["forwarded_by_id"],
            unique=False,
            postgresql_where=sa.text("forwarded_by_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_told")
        op.create_index(
            "ix_police_reports_told",
            "police_reports",
            ["filed_at", "id"],
            unique=False,
            postgresql_where=sa.text("cardinality(also_told) > 0"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_police_reports_told",
            table_name="police_reports",
            postgresql_where=sa.text("cardinality(also_told) > 0"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_forwarded",
            table_name="police_reports",
            postgresql_where=sa.text("forwarded_by_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
