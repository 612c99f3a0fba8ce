"""what waits longest to be delivered is found at once

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0228
Revises: 0223
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0228"
down_revision: str | Sequence[str] | None = "0223"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_undelivered_since")
        op.create_index(
            "ix_police_reports_undelivered_since",
            "police_reports",
            ["filed_at"],
            unique=False,
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND delivered_at IS NULL"
            ),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_deliveries_lag")
        op.create_index(
            "ix_webhook_deliveries_lag",
            "webhook_deliveries",
            ["delivery_class", "endpoint_id", "created_at"],
            unique=False,
            postgresql_where=sa.text("state IN ('pending', 'leased')"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_webhook_deliveries_lag",
            table_name="webhook_deliveries",
            postgresql_where=sa.text("state IN ('pending', 'leased')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_undelivered_since",
            table_name="police_reports",
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND delivered_at IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
