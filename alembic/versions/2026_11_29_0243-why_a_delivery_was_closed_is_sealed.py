"""why a delivery was closed is sealed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0243
Revises: 0242
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0243"
down_revision: str | Sequence[str] | None = "0242"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "webhook_deliveries",
        sa.Column("closed_because_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_deliveries_before")
        op.create_index(
            "ix_webhook_deliveries_before",
            "webhook_deliveries",
            ["endpoint_id", "ordering_key", "sequence"],
            unique=False,
            postgresql_where=sa.text(
                "state NOT IN ('succeeded', 'exhausted', 'closed', 'withheld')"
            ),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("webhook_deliveries", "closed_because_sealed", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_webhook_deliveries_before",
            table_name="webhook_deliveries",
            postgresql_where=sa.text(
                "state NOT IN ('succeeded', 'exhausted', 'closed', 'withheld')"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
