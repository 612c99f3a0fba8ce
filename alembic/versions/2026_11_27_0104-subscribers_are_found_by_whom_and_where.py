"""subscribers are found by whom and where

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0104
Revises: 0103
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0104"
down_revision: str | Sequence[str] | None = "0103"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_endpoints_of_region")
        op.create_index(
            "ix_webhook_endpoints_of_region",
            "webhook_endpoints",
            ["region_code"],
            unique=False,
            postgresql_where=sa.text("relation = 'region'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_webhook_endpoints_of_region",
            table_name="webhook_endpoints",
            postgresql_where=sa.text("relation = 'region'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
