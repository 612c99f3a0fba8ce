"""one form of a name, and its other readings

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0019
Revises: 0018
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0019"
down_revision: str | Sequence[str] | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "children",
        sa.Column("name_canonical", sa.Text(collation="C"), server_default="", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "children",
        sa.Column("name_pinyin_2", sa.Text(collation="C"), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "children",
        sa.Column("name_initials_2", sa.Text(collation="C"), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "children",
        sa.Column("name_pinyin_3", sa.Text(collation="C"), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "children",
        sa.Column("name_initials_3", sa.Text(collation="C"), nullable=True),
        if_not_exists=True,
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_children_birth_date_name"),
            table_name="children",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_birth_date_name_canonical")
        op.create_index(
            "ix_children_birth_date_name_canonical",
            "children",
            ["birth_date", "name_canonical"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_canonical")
        op.create_index(
            op.f("ix_children_name_canonical"),
            "children",
            ["name_canonical"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_initials_2")
        op.create_index(
            "ix_children_name_initials_2",
            "children",
            ["name_initials_2"],
            unique=False,
            postgresql_where=sa.text("name_initials_2 IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_initials_3")
        op.create_index(
            "ix_children_name_initials_3",
            "children",
            ["name_initials_3"],
            unique=False,
            postgresql_where=sa.text("name_initials_3 IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_pinyin_2")
        op.create_index(
            "ix_children_name_pinyin_2",
            "children",
            ["name_pinyin_2"],
            unique=False,
            postgresql_where=sa.text("name_pinyin_2 IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_pinyin_3")
        op.create_index(
            "ix_children_name_pinyin_3",
            "children",
            ["name_pinyin_3"],
            unique=False,
            postgresql_where=sa.text("name_pinyin_3 IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("children", "name_initials_3", if_exists=True)
    op.drop_column("children", "name_pinyin_3", if_exists=True)
    op.drop_column("children", "name_initials_2", if_exists=True)
    op.drop_column("children", "name_pinyin_2", if_exists=True)
    op.drop_column("children", "name_canonical", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_children_name_pinyin_3",
            table_name="children",
            postgresql_where=sa.text("name_pinyin_3 IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_name_pinyin_2",
            table_name="children",
            postgresql_where=sa.text("name_pinyin_2 IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_name_initials_3",
            table_name="children",
            postgresql_where=sa.text("name_initials_3 IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_name_initials_2",
            table_name="children",
            postgresql_where=sa.text("name_initials_2 IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            op.f("ix_children_name_canonical"),
            table_name="children",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_children_birth_date_name_canonical",
            table_name="children",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_birth_date_name")
        op.create_index(
            op.f("ix_children_birth_date_name"),
            "children",
            ["birth_date", "name"],
            unique=False,
            postgresql_concurrently=True,
        )
