"""what other chains tell of a child

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0086
Revises: 0085
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0086"
down_revision: str | Sequence[str] | None = "0085"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "children",
        sa.Column(
            "told",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_told")
        op.create_index(
            "ix_children_told",
            "children",
            ["told"],
            unique=False,
            postgresql_using="gin",
            postgresql_ops={"told": "jsonb_path_ops"},
            postgresql_where=sa.text("told <> '[]'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("children", "told", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_children_told",
            table_name="children",
            postgresql_using="gin",
            postgresql_ops={"told": "jsonb_path_ops"},
            postgresql_where=sa.text("told <> '[]'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
