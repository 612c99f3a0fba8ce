"""regions

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0003
Revises: 0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "regions",
        sa.Column("code", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), server_default=sa.text("'1900-01-01'"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("parent_code", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("successor_code", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint(
            "level IN ('province', 'prefecture', 'county', 'township', 'village')",
            name=op.f("ck_regions_level"),
        ),
        sa.CheckConstraint("code > 0 AND code < 1000000000000", name=op.f("ck_regions_code")),
        sa.CheckConstraint(
            "successor_code IS NULL OR (valid_until IS NOT NULL AND successor_code <> code)",
            name=op.f("ck_regions_successor"),
        ),
        sa.CheckConstraint(
            "valid_until IS NULL OR valid_until >= valid_from", name=op.f("ck_regions_period")
        ),
        sa.PrimaryKeyConstraint("code", "valid_from", name=op.f("pk_regions")),
    )
    op.create_index("ix_regions_level_code", "regions", ["level", "code"], unique=False)
    op.create_index(
        "ix_regions_name",
        "regions",
        ["name"],
        unique=False,
        postgresql_ops={"name": "text_pattern_ops"},
    )
    op.create_index("ix_regions_parent_code_code", "regions", ["parent_code", "code"], unique=False)
    op.create_index(
        "uq_regions_open",
        "regions",
        ["code"],
        unique=True,
        postgresql_where=sa.text("valid_until IS NULL"),
    )
    op.execute("REVOKE ALL ON regions FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON regions TO tonghu_app")


def downgrade() -> None:
    op.drop_index(
        "uq_regions_open", table_name="regions", postgresql_where=sa.text("valid_until IS NULL")
    )
    op.drop_index("ix_regions_parent_code_code", table_name="regions")
    op.drop_index(
        "ix_regions_name", table_name="regions", postgresql_ops={"name": "text_pattern_ops"}
    )
    op.drop_index("ix_regions_level_code", table_name="regions")
    op.drop_table("regions")
