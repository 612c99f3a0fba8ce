"""what was done by deeds that may be hidden

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0088
Revises: 0087
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0088"
down_revision: str | Sequence[str] | None = "0087"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_done_by_hidden")
        op.create_index(
            "ix_duties_done_by_hidden",
            "duties",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'discharged' AND rule = 'REP-01'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duties_done_by_hidden",
            table_name="duties",
            postgresql_where=sa.text("state = 'discharged' AND rule = 'REP-01'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
