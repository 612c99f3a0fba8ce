"""who approved is found by who they are

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0207
Revises: 0206
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0207"
down_revision: str | Sequence[str] | None = "0206"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_approvals_decided_by")
        op.create_index(
            "ix_approvals_decided_by",
            "approvals",
            ["decided_by", "proposed_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_approvals_decided_by",
            table_name="approvals",
            postgresql_concurrently=True,
            if_exists=True,
        )
