"""visits

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0010
Revises: 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visitor", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("visitor_type", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("guardian_present", sa.Boolean(), nullable=True),
        sa.Column("abnormal", sa.Boolean(), nullable=False),
        sa.Column(
            "findings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "policies_explained", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("content_mac", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('in_person', 'phone', 'video')", name=op.f("ck_visits_channel")
        ),
        sa.CheckConstraint(
            "place IN ('home', 'school', 'childrens_home', 'village_office', 'other')",
            name=op.f("ck_visits_place"),
        ),
        sa.CheckConstraint(
            "visitor_type IN ('child_director', 'township_supervisor', 'party_cadre', 'stationed_cadre', 'social_worker', 'teacher', 'police', 'civil_affairs')",
            name=op.f("ck_visits_visitor_type"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_visits_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_visits_home_county_child_id_children"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
    )
    op.create_index(
        "ix_visits_child_id_visited_on", "visits", ["child_id", "visited_on", "id"], unique=False
    )
    op.create_index(
        "ix_visits_region_code_visited_on",
        "visits",
        ["region_code", "visited_on", "id"],
        unique=False,
    )
    op.create_index("ix_visits_visited_on_id", "visits", ["visited_on", "id"], unique=False)
    op.create_index("uq_visits_home_county_id", "visits", ["home_county", "id"], unique=True)
    op.create_table(
        "visit_versions",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("snapshot_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"],
            ["children.home_county", "children.id"],
            name=op.f("fk_visit_versions_home_county_child_id_children"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "visit_id"],
            ["visits.home_county", "visits.id"],
            name=op.f("fk_visit_versions_home_county_visit_id_visits"),
        ),
        sa.PrimaryKeyConstraint(
            "home_county", "visit_id", "version", name=op.f("pk_visit_versions")
        ),
    )
    op.execute("REVOKE ALL ON visit_versions FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON visit_versions TO tonghu_app")
    op.execute("ALTER TABLE visit_versions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE visit_versions FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON visit_versions USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = visit_versions.home_county AND c.id = visit_versions.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = visit_versions.home_county AND c.id = visit_versions.child_id))"
    )
    op.execute("REVOKE ALL ON visits FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON visits TO tonghu_app")
    op.execute("ALTER TABLE visits ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE visits FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON visits USING (EXISTS (SELECT 1 FROM children c WHERE c.home_county = visits.home_county AND c.id = visits.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = visits.home_county AND c.id = visits.child_id))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON visit_versions")
    op.execute("DROP POLICY IF EXISTS remit ON visits")
    op.drop_table("visit_versions")
    op.drop_index("uq_visits_home_county_id", table_name="visits")
    op.drop_index("ix_visits_visited_on_id", table_name="visits")
    op.drop_index("ix_visits_region_code_visited_on", table_name="visits")
    op.drop_index("ix_visits_child_id_visited_on", table_name="visits")
    op.drop_table("visits")
