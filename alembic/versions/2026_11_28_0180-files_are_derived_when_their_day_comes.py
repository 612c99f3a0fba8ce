"""files are derived when their day comes

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0180
Revises: 0131
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0180"
down_revision: str | Sequence[str] | None = "0161"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "derivations",
        sa.Column("home_county", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_by", sa.String(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("walked_by", sa.String(), nullable=True),
        sa.Column("walked_to", sa.Uuid(), nullable=True),
        sa.Column("files", sa.Integer(), server_default="0", nullable=False),
        sa.Column("derived_on", sa.Date(), nullable=True),
        sa.Column("derived_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("home_county", name=op.f("pk_derivations")),
        if_not_exists=True,
    )
    op.add_column(
        "children",
        sa.Column(
            "next_change_on", sa.Date(), server_default=sa.text("'-infinity'"), nullable=True
        ),
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON derivations FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON derivations TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_home_county_next_change_on")
        op.create_index(
            "ix_children_home_county_next_change_on",
            "children",
            ["home_county", "next_change_on"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("children", "next_change_on", if_exists=True)
    op.drop_table("derivations", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_children_home_county_next_change_on",
            table_name="children",
            postgresql_concurrently=True,
            if_exists=True,
        )
