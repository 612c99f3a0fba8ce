"""how a successor took over

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0021
Revises: 0020
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0021"
down_revision: str | Sequence[str] | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "regions", sa.Column("succession", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("ALTER TABLE regions DROP CONSTRAINT IF EXISTS ck_regions_succession")
    op.execute(
        "ALTER TABLE regions ADD CONSTRAINT ck_regions_succession CHECK (succession IS NULL OR (succession IN ('whole', 'merged', 'split') AND successor_code IS NOT NULL)) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_opened_in")
        op.create_index(
            "ix_dropout_alerts_opened_in",
            "dropout_alerts",
            ["opened_in"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE regions VALIDATE CONSTRAINT ck_regions_succession")


def downgrade() -> None:
    op.drop_column("regions", "succession", if_exists=True)
    op.execute("ALTER TABLE regions DROP CONSTRAINT IF EXISTS ck_regions_succession")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_dropout_alerts_opened_in",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
