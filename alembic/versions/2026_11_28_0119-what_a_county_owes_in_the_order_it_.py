"""what a county owes in the order it falls due

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0119
Revises: 0118
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0119"
down_revision: str | Sequence[str] | None = "0118"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Rewrites the table, while which nobody reads or writes it: some ten seconds for a million and a
    # half. A trigger, which would spare that, is none of ours (D14).
    op.execute(
        "-- squawk-ignore adding-field-with-default\n"
        "ALTER TABLE duties ADD COLUMN IF NOT EXISTS county_code BIGINT"
        " GENERATED ALWAYS AS (region_code / 1000000 * 1000000) STORED NOT NULL"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_code_due_at")
        op.create_index(
            "ix_duties_county_code_due_at",
            "duties",
            ["county_code", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_code_owed")
        op.create_index(
            "ix_duties_county_code_owed",
            "duties",
            ["county_code", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_county_rule_due_at")
        op.create_index(
            "ix_duties_county_rule_due_at",
            "duties",
            ["county_code", sa.literal_column('rule COLLATE "C"'), "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_rule_due_at_id")
        op.create_index(
            "ix_duties_rule_due_at_id",
            "duties",
            [sa.literal_column('rule COLLATE "C"'), "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_column("duties", "county_code", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duties_rule_due_at_id",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_county_rule_due_at",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_county_code_owed",
            table_name="duties",
            postgresql_where=sa.text("state IN ('open', 'overdue')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_county_code_due_at",
            table_name="duties",
            postgresql_concurrently=True,
            if_exists=True,
        )
