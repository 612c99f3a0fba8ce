"""a report carried away by its correction still waits

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0072
Revises: 0071
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0072"
down_revision: str | Sequence[str] | None = "0071"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_unrouted")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_police_reports_unrouted ON police_reports USING btree (region_code, filed_at) WHERE routing::text <> 'routed'::text AND acknowledged_at IS NULL AND relieved_at IS NULL"
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_unrouted")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_police_reports_unrouted ON police_reports USING btree (region_code, filed_at) WHERE routing::text <> 'routed'::text AND acknowledged_at IS NULL AND relieved_at IS NULL AND superseded_by_id IS NULL"
        )
