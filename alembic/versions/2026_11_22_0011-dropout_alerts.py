"""dropout_alerts

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0011
Revises: 0010
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "dropout_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("first_absent_day", sa.Date(), nullable=False),
        sa.Column("last_absent_day", sa.Date(), nullable=False),
        sa.Column("unexcused_days", sa.Integer(), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("returned_on", sa.Date(), nullable=True),
        sa.Column("return_kind", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'returned') = (returned_on IS NOT NULL)",
            name=op.f("ck_dropout_alerts_returned"),
        ),
        sa.CheckConstraint(
            "(state IN ('returned', 'closed')) = (ended_on IS NOT NULL)",
            name=op.f("ck_dropout_alerts_ended"),
        ),
        sa.CheckConstraint(
            "state IN ('absent', 'registered', 'persuading', 'persuasion_failed', 'written_report_sent', 'measures', 'returned', 'closed')",
            name=op.f("ck_dropout_alerts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["agencies.id"], name=op.f("fk_dropout_alerts_school_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropout_alerts")),
    )
    op.create_index("ix_dropout_alerts_child_id", "dropout_alerts", ["child_id"], unique=False)
    op.create_index(
        "ix_dropout_alerts_school_id_id", "dropout_alerts", ["school_id", "id"], unique=False
    )
    op.create_index(
        "uq_dropout_alerts_home_county_id", "dropout_alerts", ["home_county", "id"], unique=True
    )
    op.create_index(
        "uq_dropout_alerts_open",
        "dropout_alerts",
        ["home_county", "child_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('returned', 'closed')"),
    )
    op.create_table(
        "dropout_measures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("ordered_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('home_visit', 'talk_with_guardian', 'order_to_guardian', 'aid', 'legal_action', 'other')",
            name=op.f("ck_dropout_measures_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_dropout_measures_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "alert_id"],
            ["dropout_alerts.home_county", "dropout_alerts.id"],
            name="alert",
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropout_measures")),
    )
    op.create_index("ix_dropout_measures_alert_id", "dropout_measures", ["alert_id"], unique=False)
    op.create_table(
        "dropout_persuasions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("persuaded_on", sa.Date(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "by IN ('class_teacher', 'teacher', 'school_leader', 'village_cadre', 'relative', 'other')",
            name=op.f("ck_dropout_persuasions_by"),
        ),
        sa.CheckConstraint(
            "method IN ('home_visit', 'phone', 'message', 'meeting', 'other')",
            name=op.f("ck_dropout_persuasions_method"),
        ),
        sa.CheckConstraint(
            "outcome IN ('returned', 'promised', 'refused', 'unreachable')",
            name=op.f("ck_dropout_persuasions_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "alert_id"],
            ["dropout_alerts.home_county", "dropout_alerts.id"],
            name="alert",
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropout_persuasions")),
    )
    op.create_index(
        "ix_dropout_persuasions_alert_id", "dropout_persuasions", ["alert_id"], unique=False
    )
    op.create_table(
        "dropout_report_receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_by", sa.String(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('education', 'township_government')",
            name=op.f("ck_dropout_report_receipts_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"],
            ["agencies.id"],
            name=op.f("fk_dropout_report_receipts_agency_id_agencies"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "alert_id"],
            ["dropout_alerts.home_county", "dropout_alerts.id"],
            name="alert",
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropout_report_receipts")),
    )
    op.create_index(
        "ix_dropout_report_receipts_agency_id_alert_id",
        "dropout_report_receipts",
        ["agency_id", "alert_id"],
        unique=False,
    )
    op.create_index(
        "uq_dropout_report_receipts_alert_agency",
        "dropout_report_receipts",
        ["home_county", "alert_id", "agency_id"],
        unique=True,
    )
    op.create_table(
        "dropout_written_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("whereabouts", sa.String(), nullable=False),
        sa.Column("summary_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sent_by", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "cause IN ('poverty', 'illness', 'tired_of_school', 'working', 'family_care', 'conflict', 'moved', 'other')",
            name=op.f("ck_dropout_written_reports_cause"),
        ),
        sa.CheckConstraint(
            "whereabouts IN ('at_home', 'with_relatives', 'working_away', 'with_parents', 'unknown')",
            name=op.f("ck_dropout_written_reports_whereabouts"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "alert_id"],
            ["dropout_alerts.home_county", "dropout_alerts.id"],
            name="alert",
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dropout_written_reports")),
    )
    op.create_index(
        "uq_dropout_written_reports_alert_id",
        "dropout_written_reports",
        ["home_county", "alert_id"],
        unique=True,
    )
    op.execute("REVOKE ALL ON dropout_alerts FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON dropout_alerts TO tonghu_app")
    op.execute("ALTER TABLE dropout_alerts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_alerts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON dropout_alerts USING (school_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = dropout_alerts.home_county AND c.id = dropout_alerts.child_id) OR EXISTS (SELECT 1 FROM dropout_report_receipts r WHERE r.agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) AND r.alert_id = dropout_alerts.id)) WITH CHECK (school_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = dropout_alerts.home_county AND c.id = dropout_alerts.child_id) OR EXISTS (SELECT 1 FROM dropout_report_receipts r WHERE r.agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) AND r.alert_id = dropout_alerts.id))"
    )
    op.execute("REVOKE ALL ON dropout_measures FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON dropout_measures TO tonghu_app")
    op.execute("ALTER TABLE dropout_measures ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_measures FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON dropout_measures USING (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_measures.home_county AND a.id = dropout_measures.alert_id)) WITH CHECK (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_measures.home_county AND a.id = dropout_measures.alert_id))"
    )
    op.execute("REVOKE ALL ON dropout_persuasions FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON dropout_persuasions TO tonghu_app")
    op.execute("ALTER TABLE dropout_persuasions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_persuasions FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON dropout_persuasions USING (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_persuasions.home_county AND a.id = dropout_persuasions.alert_id)) WITH CHECK (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_persuasions.home_county AND a.id = dropout_persuasions.alert_id))"
    )
    op.execute("REVOKE ALL ON dropout_report_receipts FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON dropout_report_receipts TO tonghu_app")
    op.execute("ALTER TABLE dropout_report_receipts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_report_receipts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON dropout_report_receipts USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR school_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = dropout_report_receipts.home_county AND c.id = dropout_report_receipts.child_id)) WITH CHECK (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR school_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = dropout_report_receipts.home_county AND c.id = dropout_report_receipts.child_id))"
    )
    op.execute("REVOKE ALL ON dropout_written_reports FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON dropout_written_reports TO tonghu_app")
    op.execute("ALTER TABLE dropout_written_reports ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_written_reports FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON dropout_written_reports USING (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_written_reports.home_county AND a.id = dropout_written_reports.alert_id)) WITH CHECK (EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = dropout_written_reports.home_county AND a.id = dropout_written_reports.alert_id))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alerts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_measures")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_persuasions")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_report_receipts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_written_reports")
    op.drop_index("uq_dropout_written_reports_alert_id", table_name="dropout_written_reports")
    op.drop_table("dropout_written_reports")
    op.drop_index("uq_dropout_report_receipts_alert_agency", table_name="dropout_report_receipts")
    op.drop_index(
        "ix_dropout_report_receipts_agency_id_alert_id", table_name="dropout_report_receipts"
    )
    op.drop_table("dropout_report_receipts")
    op.drop_index("ix_dropout_persuasions_alert_id", table_name="dropout_persuasions")
    op.drop_table("dropout_persuasions")
    op.drop_index("ix_dropout_measures_alert_id", table_name="dropout_measures")
    op.drop_table("dropout_measures")
    op.drop_index(
        "uq_dropout_alerts_open",
        table_name="dropout_alerts",
        postgresql_where=sa.text("state NOT IN ('returned', 'closed')"),
    )
    op.drop_index("uq_dropout_alerts_home_county_id", table_name="dropout_alerts")
    op.drop_index("ix_dropout_alerts_school_id_id", table_name="dropout_alerts")
    op.drop_index("ix_dropout_alerts_child_id", table_name="dropout_alerts")
    op.drop_table("dropout_alerts")
