"""people of a place are found

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0197
Revises: 0196
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0197"
down_revision: str | Sequence[str] | None = "0196"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_staff_region_code_id")
        op.create_index(
            "ix_staff_region_code_id",
            "staff",
            ["region_code", "id"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_staff_region_code_id",
            table_name="staff",
            postgresql_concurrently=True,
            if_exists=True,
        )
