"""agencies

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0004
Revises: 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=True),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("uscc", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('village_committee', 'township_government', 'civil_affairs', 'school', 'education', 'police', 'hospital', 'welfare_institution', 'rescue_institution', 'social_work', 'disabled_persons_federation', 'mass_organisation', 'court', 'procuratorate', 'supervision', 'operator')",
            name=op.f("ck_agencies_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("uscc", name=op.f("uq_agencies_uscc")),
    )
    op.create_index(
        "ix_agencies_kind_region_code_id", "agencies", ["kind", "region_code", "id"], unique=False
    )
    op.create_index("ix_agencies_region_code_id", "agencies", ["region_code", "id"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("local_title", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("remit_lo", sa.BigInteger(), nullable=False),
        sa.Column("remit_hi", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_posts_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(op.f("ix_posts_agency_id"), "posts", ["agency_id"], unique=False)
    op.create_index("ix_posts_region_code_id", "posts", ["region_code", "id"], unique=False)
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_staff_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
    )
    op.create_index(op.f("ix_staff_agency_id"), "staff", ["agency_id"], unique=False)
    op.create_table(
        "post_holdings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_holdings_post_id_posts")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_post_holdings_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_holdings")),
    )
    op.create_index(op.f("ix_post_holdings_post_id"), "post_holdings", ["post_id"], unique=False)
    op.create_index(op.f("ix_post_holdings_staff_id"), "post_holdings", ["staff_id"], unique=False)
    op.create_index(
        "uq_post_holdings_open",
        "post_holdings",
        ["post_id", "staff_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.execute("REVOKE ALL ON agencies FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON agencies TO tonghu_app")
    op.execute("REVOKE ALL ON post_holdings FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON post_holdings TO tonghu_app")
    op.execute("REVOKE ALL ON posts FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON posts TO tonghu_app")
    op.execute("REVOKE ALL ON staff FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON staff TO tonghu_app")
    op.execute("ALTER TABLE staff ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE staff FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON staff USING ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM agencies a WHERE a.id = staff.agency_id AND a.region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND a.region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint))) WITH CHECK ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM agencies a WHERE a.id = staff.agency_id AND a.region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND a.region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint)))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON staff")
    op.drop_index(
        "uq_post_holdings_open",
        table_name="post_holdings",
        postgresql_where=sa.text("until IS NULL"),
    )
    op.drop_index(op.f("ix_post_holdings_staff_id"), table_name="post_holdings")
    op.drop_index(op.f("ix_post_holdings_post_id"), table_name="post_holdings")
    op.drop_table("post_holdings")
    op.drop_index(op.f("ix_staff_agency_id"), table_name="staff")
    op.drop_table("staff")
    op.drop_index("ix_posts_region_code_id", table_name="posts")
    op.drop_index(op.f("ix_posts_agency_id"), table_name="posts")
    op.drop_table("posts")
    op.drop_index("ix_agencies_region_code_id", table_name="agencies")
    op.drop_index("ix_agencies_kind_region_code_id", table_name="agencies")
    op.drop_table("agencies")
