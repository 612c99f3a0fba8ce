"""what comes round reads what is owed alone

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0102
Revises: 0101
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0102"
down_revision: str | Sequence[str] | None = "0101"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_clients_machine_at")
        op.create_index(
            "ix_clients_machine_at",
            "clients",
            ["region_code", "role"],
            unique=False,
            postgresql_where=sa.text("active AND kind = 'machine'"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_confirmations_confirmed_on_id")
        op.create_index(
            "ix_confirmations_confirmed_on_id",
            "confirmations",
            ["confirmed_on", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_done_by_report")
        op.create_index(
            "ix_duties_done_by_report",
            "duties",
            ["discharged_by"],
            unique=False,
            postgresql_where=sa.text("state = 'discharged' AND rule = 'REP-01'"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_owed_in_county")
        op.create_index(
            "ix_duties_owed_in_county",
            "duties",
            ["home_county", "bearer_agency_id", "rule", "region_code"],
            unique=False,
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_referrals_opened_at_id")
        op.create_index(
            "ix_referrals_opened_at_id",
            "referrals",
            ["opened_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_referrals_state_opened_at_id")
        op.create_index(
            "ix_referrals_state_opened_at_id",
            "referrals",
            ["state", "opened_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_referrals_state_opened_at_id",
            table_name="referrals",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_referrals_opened_at_id",
            table_name="referrals",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_owed_in_county",
            table_name="duties",
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_done_by_report",
            table_name="duties",
            postgresql_where=sa.text("state = 'discharged' AND rule = 'REP-01'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_confirmations_confirmed_on_id",
            table_name="confirmations",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_clients_machine_at",
            table_name="clients",
            postgresql_where=sa.text("active AND kind = 'machine'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
