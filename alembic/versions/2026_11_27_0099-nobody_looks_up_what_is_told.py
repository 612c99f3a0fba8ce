"""nobody looks up what is told

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0099
Revises: 0098
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0099"
down_revision: str | Sequence[str] | None = "0098"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_children_told"),
            table_name="children",
            postgresql_ops={"told": "jsonb_path_ops"},
            postgresql_using="gin",
            postgresql_where="(told <> '[]'::jsonb)",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_told")
        op.create_index(
            op.f("ix_children_told"),
            "children",
            ["told"],
            unique=False,
            postgresql_ops={"told": "jsonb_path_ops"},
            postgresql_using="gin",
            postgresql_where="(told <> '[]'::jsonb)",
            postgresql_concurrently=True,
        )
