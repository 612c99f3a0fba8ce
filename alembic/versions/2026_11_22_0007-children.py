"""children

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0007
Revises: 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "duplicate_referrals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("other_child_id", sa.Uuid(), nullable=True),
        sa.Column("submitted_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("submitted_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IN ('resident_id', 'id', 'name_and_birth_date')",
            name=op.f("ck_duplicate_referrals_reason"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_referrals")),
    )
    op.create_index(
        "ix_duplicate_referrals_region_code",
        "duplicate_referrals",
        ["region_code", "created_at"],
        unique=False,
    )
    op.create_index(
        "uq_duplicate_referrals_pair",
        "duplicate_referrals",
        ["child_id", "other_child_id"],
        unique=True,
        postgresql_where=sa.text("reason = 'name_and_birth_date'"),
    )
    op.create_table(
        "children",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("name_reversed", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("name_pinyin", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("name_initials", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("sex", sa.String(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("ethnic_group", sa.String(), nullable=True),
        sa.Column("no_resident_id_reason", sa.String(), nullable=True),
        sa.Column("identity_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "hukou",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "residence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("residence_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("family_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "guardianship",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("guardianship_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "education",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("education_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "health",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("health_sealed", sa.LargeBinary(), nullable=True),
        sa.Column(
            "welfare",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("external_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "priority_flags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("derived_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sex IN ('male', 'female', 'unknown')", name=op.f("ck_children_sex")),
        sa.ForeignKeyConstraint(
            ["school_id"], ["agencies.id"], name=op.f("fk_children_school_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_children")),
    )
    op.create_index("ix_children_birth_date_name", "children", ["birth_date", "name"], unique=False)
    op.create_index(op.f("ix_children_name"), "children", ["name"], unique=False)
    op.create_index(op.f("ix_children_name_initials"), "children", ["name_initials"], unique=False)
    op.create_index(op.f("ix_children_name_pinyin"), "children", ["name_pinyin"], unique=False)
    op.create_index(op.f("ix_children_name_reversed"), "children", ["name_reversed"], unique=False)
    op.create_index("ix_children_region_code_id", "children", ["region_code", "id"], unique=False)
    op.create_index("ix_children_school_id_id", "children", ["school_id", "id"], unique=False)
    op.create_index("uq_children_home_county_id", "children", ["home_county", "id"], unique=True)
    op.create_table(
        "child_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("sections", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("changes_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_child_changes_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_child_changes")),
    )
    op.create_index(
        "uq_child_changes_child_id_version", "child_changes", ["child_id", "version"], unique=True
    )
    op.create_table(
        "child_external_ids",
        sa.Column("index", sa.LargeBinary(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_child_external_ids_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("index", "child_id", name=op.f("pk_child_external_ids")),
    )
    op.create_index(
        "ix_child_external_ids_child_id", "child_external_ids", ["child_id"], unique=False
    )
    op.create_table(
        "child_facts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("stated_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_child_facts_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_child_facts")),
    )
    op.create_index(
        "ix_child_facts_child_id_kind_since",
        "child_facts",
        ["child_id", "kind", "since"],
        unique=False,
    )
    op.create_table(
        "resident_ids",
        sa.Column("index", sa.LargeBinary(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_resident_ids_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_resident_ids")),
    )
    op.create_index("ix_resident_ids_child_id", "resident_ids", ["child_id"], unique=False)
    op.execute("REVOKE ALL ON child_changes FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON child_changes TO tonghu_app")
    op.execute("ALTER TABLE child_changes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_changes FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_changes USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_changes.home_county AND c.id = child_changes.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_changes.home_county AND c.id = child_changes.child_id))"
    )
    op.execute("REVOKE ALL ON child_external_ids FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON child_external_ids TO tonghu_app")
    op.execute("ALTER TABLE child_external_ids ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_external_ids FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_external_ids USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_external_ids.home_county AND c.id = child_external_ids.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_external_ids.home_county AND c.id = child_external_ids.child_id))"
    )
    op.execute("REVOKE ALL ON child_facts FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON child_facts TO tonghu_app")
    op.execute("ALTER TABLE child_facts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_facts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_facts USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_facts.home_county AND c.id = child_facts.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = child_facts.home_county AND c.id = child_facts.child_id))"
    )
    op.execute("REVOKE ALL ON children FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON children TO tonghu_app")
    op.execute("ALTER TABLE children ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE children FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON children USING (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL OR school_id = (SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid))) WITH CHECK (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL OR school_id = (SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid)))"
    )
    op.execute("REVOKE ALL ON duplicate_referrals FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON duplicate_referrals TO tonghu_app")
    op.execute("ALTER TABLE duplicate_referrals ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE duplicate_referrals FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON duplicate_referrals USING (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint) AND (SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL) WITH CHECK (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint))"
    )
    op.execute("REVOKE ALL ON resident_ids FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON resident_ids TO tonghu_app")
    op.execute("ALTER TABLE resident_ids ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE resident_ids FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON resident_ids USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = resident_ids.home_county AND c.id = resident_ids.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = resident_ids.home_county AND c.id = resident_ids.child_id))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON child_changes")
    op.execute("DROP POLICY IF EXISTS remit ON child_external_ids")
    op.execute("DROP POLICY IF EXISTS remit ON child_facts")
    op.execute("DROP POLICY IF EXISTS remit ON children")
    op.execute("DROP POLICY IF EXISTS remit ON duplicate_referrals")
    op.execute("DROP POLICY IF EXISTS remit ON resident_ids")
    op.drop_index("ix_resident_ids_child_id", table_name="resident_ids")
    op.drop_table("resident_ids")
    op.drop_index("ix_child_facts_child_id_kind_since", table_name="child_facts")
    op.drop_table("child_facts")
    op.drop_index("ix_child_external_ids_child_id", table_name="child_external_ids")
    op.drop_table("child_external_ids")
    op.drop_index("uq_child_changes_child_id_version", table_name="child_changes")
    op.drop_table("child_changes")
    op.drop_index("uq_children_home_county_id", table_name="children")
    op.drop_index("ix_children_school_id_id", table_name="children")
    op.drop_index("ix_children_region_code_id", table_name="children")
    op.drop_index(op.f("ix_children_name_reversed"), table_name="children")
    op.drop_index(op.f("ix_children_name_pinyin"), table_name="children")
    op.drop_index(op.f("ix_children_name_initials"), table_name="children")
    op.drop_index(op.f("ix_children_name"), table_name="children")
    op.drop_index("ix_children_birth_date_name", table_name="children")
    op.drop_table("children")
    op.drop_index(
        "uq_duplicate_referrals_pair",
        table_name="duplicate_referrals",
        postgresql_where=sa.text("reason = 'name_and_birth_date'"),
    )
    op.drop_index("ix_duplicate_referrals_region_code", table_name="duplicate_referrals")
    op.drop_table("duplicate_referrals")
