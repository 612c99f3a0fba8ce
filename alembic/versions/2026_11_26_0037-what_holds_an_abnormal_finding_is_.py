"""what holds an abnormal finding is dismissed by two

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0037
Revises: 0036
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0037"
down_revision: str | Sequence[str] | None = "0036"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "unresolved",
        sa.Column("abnormal", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved", sa.Column("dismissal_by", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "unresolved",
        sa.Column("dismissal_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved",
        sa.Column("dismissal_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_abnormal")
        op.create_index(
            "ix_unresolved_abnormal",
            "unresolved",
            ["region_code", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("abnormal AND state = 'open'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("unresolved", "dismissal_at", if_exists=True)
    op.drop_column("unresolved", "dismissal_sealed", if_exists=True)
    op.drop_column("unresolved", "dismissal_by", if_exists=True)
    op.drop_column("unresolved", "abnormal", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_unresolved_abnormal",
            table_name="unresolved",
            postgresql_where=sa.text("abnormal AND state = 'open'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
