"""what was referred is known again and opened

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0046
Revises: 0045
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0046"
down_revision: str | Sequence[str] | None = "0045"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "duplicate_referrals",
        sa.Column("submitted_role", sa.String(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "duplicate_referrals",
        sa.Column("content_mac", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved", sa.Column("file_opened", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_file_opened")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_file_opened CHECK (file_opened IN ('as_sent', 'number_set_aside')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_duplicate_referrals_submitted"),
            table_name="duplicate_referrals",
            postgresql_where="(settled_at IS NULL)",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duplicate_referrals_sent")
        op.create_index(
            "ix_duplicate_referrals_sent",
            "duplicate_referrals",
            ["submitted_id"],
            unique=False,
            postgresql_where=sa.text("submitted_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_file_opened")


def downgrade() -> None:
    op.drop_column("unresolved", "file_opened", if_exists=True)
    op.drop_column("duplicate_referrals", "content_mac", if_exists=True)
    op.drop_column("duplicate_referrals", "submitted_role", if_exists=True)
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_file_opened")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duplicate_referrals_sent",
            table_name="duplicate_referrals",
            postgresql_where=sa.text("submitted_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duplicate_referrals_submitted")
        op.create_index(
            op.f("ix_duplicate_referrals_submitted"),
            "duplicate_referrals",
            ["agency_id", "submitted_id"],
            unique=False,
            postgresql_where="(settled_at IS NULL)",
            postgresql_concurrently=True,
        )
