"""what jobs and lists read is bounded by indexes

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0082
Revises: 0081
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0082"
down_revision: str | Sequence[str] | None = "0081"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_due_at_id")
        op.create_index(
            "ix_duties_due_at_id",
            "duties",
            ["due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_state_due_at_id")
        op.create_index(
            "ix_duties_state_due_at_id",
            "duties",
            ["state", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_anywhere")
        op.create_index(
            "ix_police_reports_anywhere",
            "police_reports",
            ["filed_at", "id"],
            unique=False,
            postgresql_where=sa.text("region_code >= 0"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_unaccepted")
        op.create_index(
            "ix_police_reports_unaccepted",
            "police_reports",
            ["acknowledge_due_at"],
            unique=False,
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND acknowledgement_alarmed_at IS NULL"
            ),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_undelivered")
        op.create_index(
            "ix_police_reports_undelivered",
            "police_reports",
            ["deliver_alarm_at"],
            unique=False,
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND delivery_alarmed_at IS NULL AND delivered_at IS NULL"
            ),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_presence_doubts_open")
        op.create_index(
            "ix_presence_doubts_open",
            "presence_doubts",
            ["id"],
            unique=False,
            postgresql_where=sa.text("finding IS NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_presence_doubts_region_code_id")
        op.create_index(
            "ix_presence_doubts_region_code_id",
            "presence_doubts",
            ["region_code", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_kind_due_at_id")
        op.create_index(
            "ix_unresolved_kind_due_at_id",
            "unresolved",
            ["kind", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            op.f("ix_duties_open_due_at"),
            table_name="duties",
            postgresql_where="((state)::text = 'open'::text)",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_unresolved_kind_due_at_id",
            table_name="unresolved",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_presence_doubts_region_code_id",
            table_name="presence_doubts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_presence_doubts_open",
            table_name="presence_doubts",
            postgresql_where=sa.text("finding IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_undelivered",
            table_name="police_reports",
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND delivery_alarmed_at IS NULL AND delivered_at IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_unaccepted",
            table_name="police_reports",
            postgresql_where=sa.text(
                "acknowledged_at IS NULL AND relieved_at IS NULL AND acknowledgement_alarmed_at IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_anywhere",
            table_name="police_reports",
            postgresql_where=sa.text("region_code >= 0"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_state_due_at_id",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_due_at_id", table_name="duties", postgresql_concurrently=True, if_exists=True
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_open_due_at")
        op.create_index(
            op.f("ix_duties_open_due_at"),
            "duties",
            ["due_at"],
            unique=False,
            postgresql_where="((state)::text = 'open'::text)",
            postgresql_concurrently=True,
        )
