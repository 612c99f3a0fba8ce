"""a register of breaches

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0202
Revises: 0201
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0202"
down_revision: str | Sequence[str] | None = "0201"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "breaches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("children", sa.Integer(), nullable=True),
        sa.Column("what_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("measures_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("report_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tell_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "told",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closure_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_breaches_closed")
        ),
        sa.CheckConstraint("kind IN ('leaked', 'altered', 'lost')", name=op.f("ck_breaches_kind")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_breaches_state")),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_breaches_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaches")),
    )
    op.create_index(
        "ix_breaches_agency_id_found_at", "breaches", ["agency_id", "found_at", "id"], unique=False
    )
    op.create_index("ix_breaches_found_at_id", "breaches", ["found_at", "id"], unique=False)
    op.create_index("ix_breaches_state", "breaches", ["state", "found_at", "id"], unique=False)
    op.create_index(
        "ix_breaches_region_code_found_at",
        "breaches",
        ["region_code", "found_at", "id"],
        unique=False,
    )
    op.execute("REVOKE ALL ON breaches FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON breaches TO tonghu_app")
    op.execute("ALTER TABLE breaches ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE breaches FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON breaches USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON breaches")
    op.drop_index("ix_breaches_region_code_found_at", table_name="breaches")
    op.drop_index("ix_breaches_state", table_name="breaches")
    op.drop_index("ix_breaches_found_at_id", table_name="breaches")
    op.drop_index("ix_breaches_agency_id_found_at", table_name="breaches")
    op.drop_table("breaches")
