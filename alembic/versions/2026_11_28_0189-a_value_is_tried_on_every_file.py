"""a value is tried on every file

And of each county's derivation it is known when somebody was at it last, and by which schema.

Revision: 0189
Revises: 0188
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0189"
down_revision: str | Sequence[str] | None = "0188"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "policy_trials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("parameter", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tried_on", sa.Date(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("lo", sa.BigInteger(), nullable=False),
        sa.Column("hi", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.Integer(), nullable=False),
        sa.Column("unsure", sa.Integer(), nullable=False),
        sa.Column("tally", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after_region", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("advanced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('counting', 'done', 'cancelled', 'failed')",
            name=op.f("ck_policy_trials_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_trials")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_policy_trials_advanced_at",
        "policy_trials",
        ["advanced_at"],
        unique=False,
        postgresql_where=sa.text("state = 'counting'"),
        if_not_exists=True,
    )
    op.create_index(
        "uq_policy_trials_agency_id",
        "policy_trials",
        ["agency_id"],
        unique=True,
        postgresql_where=sa.text("state = 'counting'"),
        if_not_exists=True,
    )
    op.add_column(
        "derivations",
        sa.Column("walked_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "derivations", sa.Column("by_revision", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("REVOKE ALL ON policy_trials FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON policy_trials TO tonghu_app")
    op.execute("ALTER TABLE policy_trials ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE policy_trials FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON policy_trials")
    op.execute(
        "CREATE POLICY remit ON policy_trials USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN lo >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND hi <= NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN lo >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND hi <= NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid) ELSE false END)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_child_stays_until")
        op.create_index(
            "ix_child_stays_until",
            "child_stays",
            ["until"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON policy_trials")
    op.drop_column("derivations", "by_revision", if_exists=True)
    op.drop_column("derivations", "walked_at", if_exists=True)
    op.drop_index(
        "uq_policy_trials_agency_id",
        table_name="policy_trials",
        postgresql_where=sa.text("state = 'counting'"),
        if_exists=True,
    )
    op.drop_index(
        "ix_policy_trials_advanced_at",
        table_name="policy_trials",
        postgresql_where=sa.text("state = 'counting'"),
        if_exists=True,
    )
    op.drop_table("policy_trials", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_child_stays_until",
            table_name="child_stays",
            postgresql_concurrently=True,
            if_exists=True,
        )
