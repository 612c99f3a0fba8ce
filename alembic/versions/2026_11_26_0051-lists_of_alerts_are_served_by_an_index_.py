"""lists of alerts are served by an index each

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0051
Revises: 0050
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0051"
down_revision: str | Sequence[str] | None = "0050"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_region_code_id")
        op.create_index(
            "ix_dropout_alerts_region_code_id",
            "dropout_alerts",
            ["region_code", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_report_receipts_agency_id_alert_id"
        )
        op.create_index(
            "ix_dropout_report_receipts_agency_id_alert_id",
            "dropout_report_receipts",
            ["agency_id", "alert_id"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_dropout_report_receipts_agency_id_alert_id",
            table_name="dropout_report_receipts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_dropout_alerts_region_code_id",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
