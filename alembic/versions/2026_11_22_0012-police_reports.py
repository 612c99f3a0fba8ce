"""police_reports

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0012
Revises: 0011
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "police_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("situations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reporter_agency_id", sa.Uuid(), nullable=False),
        sa.Column("suspect_agency_id", sa.Uuid(), nullable=True),
        sa.Column("police_agency_id", sa.Uuid(), nullable=True),
        sa.Column("forwarded_by_id", sa.Uuid(), nullable=True),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("narrative_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("subject_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("content_index", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("routing", sa.String(), nullable=False),
        sa.Column("acknowledge_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deliver_alarm_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("police_reference", sa.String(), nullable=True),
        sa.Column("acknowledgement_alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivery_alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("township_agency_id", sa.Uuid(), nullable=True),
        sa.Column("supersedes_id", sa.Uuid(), nullable=True),
        sa.Column("superseded_by_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(routing = 'no_agency') = (police_agency_id IS NULL)",
            name=op.f("ck_police_reports_police"),
        ),
        sa.CheckConstraint(
            "channel IN ('app', 'system', 'phone', 'in_person')",
            name=op.f("ck_police_reports_channel"),
        ),
        sa.CheckConstraint(
            "routing IN ('routed', 'no_agency', 'no_endpoint')",
            name=op.f("ck_police_reports_routing"),
        ),
        sa.CheckConstraint(
            "state IN ('filed', 'delivered', 'acknowledged', 'dispatched', 'handling', 'township_notified', 'assessed', 'services_arranged', 'closed')",
            name=op.f("ck_police_reports_state"),
        ),
        sa.CheckConstraint(
            "urgency IN ('immediate', 'urgent', 'standard')", name=op.f("ck_police_reports_urgency")
        ),
        sa.CheckConstraint(
            "cardinality(situations) > 0", name=op.f("ck_police_reports_situations")
        ),
        sa.ForeignKeyConstraint(
            ["forwarded_by_id"],
            ["agencies.id"],
            name=op.f("fk_police_reports_forwarded_by_id_agencies"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["police_agency_id"],
            ["agencies.id"],
            name=op.f("fk_police_reports_police_agency_id_agencies"),
        ),
        sa.ForeignKeyConstraint(
            ["reporter_agency_id"],
            ["agencies.id"],
            name=op.f("fk_police_reports_reporter_agency_id_agencies"),
        ),
        sa.ForeignKeyConstraint(
            ["superseded_by_id"],
            ["police_reports.id"],
            name=op.f("fk_police_reports_superseded_by_id_police_reports"),
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"],
            ["police_reports.id"],
            name=op.f("fk_police_reports_supersedes_id_police_reports"),
        ),
        sa.ForeignKeyConstraint(
            ["suspect_agency_id"],
            ["agencies.id"],
            name=op.f("fk_police_reports_suspect_agency_id_agencies"),
        ),
        sa.ForeignKeyConstraint(
            ["township_agency_id"],
            ["agencies.id"],
            name=op.f("fk_police_reports_township_agency_id_agencies"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_police_reports")),
        sa.UniqueConstraint("home_county", "id", name=op.f("uq_police_reports_home_county_id")),
    )
    op.create_index(
        "ix_police_reports_child", "police_reports", ["home_county", "child_id"], unique=False
    )
    op.create_index(
        "ix_police_reports_police",
        "police_reports",
        ["police_agency_id", "filed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_police_reports_region",
        "police_reports",
        ["region_code", "filed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_police_reports_reporter",
        "police_reports",
        ["reporter_agency_id", "filed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_police_reports_waiting",
        "police_reports",
        ["filed_at"],
        unique=False,
        postgresql_where=sa.text("acknowledged_at IS NULL AND superseded_by_id IS NULL"),
    )
    op.create_table(
        "police_report_steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("codes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("details_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("content_index", sa.LargeBinary(), nullable=False),
        sa.Column("out_of_order", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded')",
            name=op.f("ck_police_report_steps_step"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_police_report_steps_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "report_id"],
            ["police_reports.home_county", "police_reports.id"],
            name="report",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_police_report_steps")),
    )
    op.create_index(
        "ix_police_report_steps_report",
        "police_report_steps",
        ["report_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_table(
        "police_reporters",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("person_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "report_id"],
            ["police_reports.home_county", "police_reports.id"],
            name="report",
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_police_reporters")),
    )
    op.execute("REVOKE ALL ON police_report_steps FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON police_report_steps TO tonghu_app")
    op.execute("ALTER TABLE police_report_steps ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE police_report_steps FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON police_report_steps USING (EXISTS (SELECT 1 FROM police_reports r WHERE r.id = police_report_steps.report_id)) WITH CHECK (EXISTS (SELECT 1 FROM police_reports r WHERE r.id = police_report_steps.report_id))"
    )
    op.execute("REVOKE ALL ON police_reporters FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON police_reporters TO tonghu_app")
    op.execute("ALTER TABLE police_reporters ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE police_reporters FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON police_reporters USING (EXISTS (SELECT 1 FROM police_reports r WHERE r.id = police_reporters.report_id AND r.police_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid))) WITH CHECK (true)"
    )
    op.execute("REVOKE ALL ON police_reports FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON police_reports TO tonghu_app")
    op.execute("ALTER TABLE police_reports ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE police_reports FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON police_reports USING ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR (suspect_agency_id IS DISTINCT FROM (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) AND (reporter_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR police_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR forwarded_by_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL AND region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint))))) WITH CHECK ((SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR (suspect_agency_id IS DISTINCT FROM (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) AND (reporter_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR police_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR forwarded_by_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR ((SELECT NULLIF(current_setting('tonghu.school', true), '')::uuid) IS NULL AND region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint)))) OR reporter_agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_report_steps")
    op.execute("DROP POLICY IF EXISTS remit ON police_reporters")
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.drop_table("police_reporters")
    op.drop_index("ix_police_report_steps_report", table_name="police_report_steps")
    op.drop_table("police_report_steps")
    op.drop_index(
        "ix_police_reports_waiting",
        table_name="police_reports",
        postgresql_where=sa.text("acknowledged_at IS NULL AND superseded_by_id IS NULL"),
    )
    op.drop_index("ix_police_reports_reporter", table_name="police_reports")
    op.drop_index("ix_police_reports_region", table_name="police_reports")
    op.drop_index("ix_police_reports_police", table_name="police_reports")
    op.drop_index("ix_police_reports_child", table_name="police_reports")
    op.drop_table("police_reports")
