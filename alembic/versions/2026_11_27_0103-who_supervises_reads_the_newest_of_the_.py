"""who supervises reads the newest of the trail

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0103
Revises: 0102
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0103"
down_revision: str | Sequence[str] | None = "0102"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_audit_entries_child_ids"),
            table_name="audit_entries",
            postgresql_using="gin",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_audit_entries_at_id")
        op.create_index(
            "ix_audit_entries_at_id",
            "audit_entries",
            ["at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_audit_entries_region_code_at")
        op.create_index(
            "ix_audit_entries_region_code_at",
            "audit_entries",
            ["region_code", "at"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_audit_entries_region_code_at",
            table_name="audit_entries",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_audit_entries_at_id",
            table_name="audit_entries",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_audit_entries_child_ids")
        op.create_index(
            op.f("ix_audit_entries_child_ids"),
            "audit_entries",
            ["child_ids"],
            unique=False,
            postgresql_using="gin",
            postgresql_concurrently=True,
        )
