"""offices change and close

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0204
Revises: 0203
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0204"
down_revision: str | Sequence[str] | None = "0203"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("agencies", sa.Column("closed_on", sa.Date(), nullable=True), if_not_exists=True)
    op.add_column(
        "posts",
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_owed_by_agency")
        op.create_index(
            "ix_duties_owed_by_agency",
            "duties",
            ["bearer_agency_id", "rule"],
            unique=False,
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_in_hand")
        op.create_index(
            "ix_police_reports_in_hand",
            "police_reports",
            ["police_agency_id"],
            unique=False,
            postgresql_where=sa.text(
                "state IN ('filed', 'delivered', 'acknowledged', 'dispatched', 'handling')"
            ),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_referrals_unanswered")
        op.create_index(
            "ix_referrals_unanswered",
            "referrals",
            ["to_id"],
            unique=False,
            postgresql_where=sa.text("state IN ('open', 'accepted')"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("posts", "version", if_exists=True)
    op.drop_column("agencies", "closed_on", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_referrals_unanswered",
            table_name="referrals",
            postgresql_where=sa.text("state IN ('open', 'accepted')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_in_hand",
            table_name="police_reports",
            postgresql_where=sa.text(
                "state IN ('filed', 'delivered', 'acknowledged', 'dispatched', 'handling')"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_owed_by_agency",
            table_name="duties",
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
