"""children

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0005
Revises: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "children",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_pinyin", sa.String(), nullable=False),
        sa.Column("sex", sa.String(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "priority_flags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sex IN ('male', 'female', 'unknown')", name=op.f("ck_children_sex")),
        sa.ForeignKeyConstraint(
            ["school_id"], ["agencies.id"], name=op.f("fk_children_school_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_children")),
    )
    op.create_index("ix_children_region_code_id", "children", ["region_code", "id"], unique=False)
    op.create_index("ix_children_school_id_id", "children", ["school_id", "id"], unique=False)
    op.create_index("uq_children_home_county_id", "children", ["home_county", "id"], unique=True)
    op.execute("REVOKE ALL ON children FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON children TO tonghu_app")
    op.execute("ALTER TABLE children ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE children FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON children USING (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL OR school_id = (SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid))) WITH CHECK (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL OR school_id = (SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid)))"
    )


def downgrade() -> None:
    op.drop_index("uq_children_home_county_id", table_name="children")
    op.drop_index("ix_children_school_id_id", table_name="children")
    op.drop_index("ix_children_region_code_id", table_name="children")
    op.drop_table("children")
