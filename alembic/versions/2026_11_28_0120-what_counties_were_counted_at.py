"""what counties were counted at

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0120
Revises: 0119
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0120"
down_revision: str | Sequence[str] | None = "0119"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "children_counts",
        sa.Column("county_code", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("children", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("county_code", "category", name=op.f("pk_children_counts")),
        if_not_exists=True,
    )
    op.create_table(
        "duty_counts",
        sa.Column("county_code", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("opened", sa.String(), nullable=False),
        sa.Column("chosen_by", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "county_code",
            "rule",
            "period",
            "opened",
            "chosen_by",
            "code",
            "outcome",
            name=op.f("pk_duty_counts"),
        ),
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON children_counts FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON children_counts TO tonghu_app")
    op.execute("REVOKE ALL ON duty_counts FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON duty_counts TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            op.f("ix_duties_county_rule_due_at"),
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_rule_due_at")
        op.create_index(
            "ix_duties_county_rule_due_at",
            "duties",
            ["county_code", sa.literal_column('rule COLLATE "C"'), "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            op.f("ix_duties_rule_due_at_id"),
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_rule_due_at_id")
        op.create_index(
            "ix_duties_rule_due_at_id",
            "duties",
            [sa.literal_column('rule COLLATE "C"'), "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_told")
        op.create_index(
            "ix_duties_told",
            "duties",
            ["region_code", "id"],
            unique=False,
            postgresql_where=sa.text("told_to IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_table("duty_counts", if_exists=True)
    op.drop_table("children_counts", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duties_told",
            table_name="duties",
            postgresql_where=sa.text("told_to IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_rule_due_at_id",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_rule_due_at_id")
        op.create_index(
            op.f("ix_duties_rule_due_at_id"),
            "duties",
            ["rule", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            "ix_duties_county_rule_due_at",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_rule_due_at")
        op.create_index(
            op.f("ix_duties_county_rule_due_at"),
            "duties",
            ["county_code", "rule", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
