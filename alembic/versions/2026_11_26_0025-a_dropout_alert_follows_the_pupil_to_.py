"""a dropout alert follows the pupil to another school

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0025
Revises: 0024
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0025"
down_revision: str | Sequence[str] | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alerts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_measures")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_persuasions")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_report_receipts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_written_reports")
    op.create_table(
        "dropout_alert_steps",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("addressed", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("from_school_id", sa.Uuid(), nullable=True),
        sa.Column("to_school_id", sa.Uuid(), nullable=True),
        sa.Column("unexcused_days", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision IN ('stands', 'struck_off')", name=op.f("ck_dropout_alert_steps_decision")
        ),
        sa.CheckConstraint(
            "kind IN ('handed_over', 'doubted', 'doubt_settled')",
            name=op.f("ck_dropout_alert_steps_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "alert_id"],
            ["dropout_alerts.home_county", "dropout_alerts.id"],
            name="alert",
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_dropout_alert_steps")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_dropout_alert_steps_alert_id",
        "dropout_alert_steps",
        ["alert_id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_dropout_alert_steps_child_id",
        "dropout_alert_steps",
        ["child_id"],
        unique=False,
        if_not_exists=True,
    )
    op.add_column(
        "dropout_alerts",
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "dropout_alerts", sa.Column("handed_over_by", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_alerts", sa.Column("doubt", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_measures",
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "dropout_persuasions",
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "dropout_report_receipts",
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "dropout_written_reports",
        sa.Column("known_to", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON dropout_alert_steps FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, known_to, pupil_of, region_code, school_id) ON dropout_alert_steps TO tonghu_app"
    )
    op.execute("ALTER TABLE dropout_alert_steps ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dropout_alert_steps FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alert_steps")
    op.execute(
        "CREATE POLICY remit ON dropout_alert_steps USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alerts")
    op.execute(
        "CREATE POLICY remit ON dropout_alerts USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON dropout_measures FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, known_to, pupil_of, region_code, school_id) ON dropout_measures TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_measures")
    op.execute(
        "CREATE POLICY remit ON dropout_measures USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON dropout_persuasions FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, known_to, pupil_of, region_code, school_id) ON dropout_persuasions TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_persuasions")
    op.execute(
        "CREATE POLICY remit ON dropout_persuasions USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_report_receipts")
    op.execute(
        "CREATE POLICY remit ON dropout_report_receipts USING (CASE WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON dropout_written_reports FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, known_to, pupil_of, region_code, school_id) ON dropout_written_reports TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_written_reports")
    op.execute(
        "CREATE POLICY remit ON dropout_written_reports USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (known_to) THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (addressed) THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_doubt")
    op.execute(
        "ALTER TABLE dropout_alerts ADD CONSTRAINT ck_dropout_alerts_doubt CHECK (doubt IN ('fewer_days')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_handed_over_by_id")
        op.create_index(
            "ix_dropout_alerts_handed_over_by_id",
            "dropout_alerts",
            ["handed_over_by", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE dropout_alerts VALIDATE CONSTRAINT ck_dropout_alerts_doubt")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alert_steps")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alerts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_measures")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_persuasions")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_report_receipts")
    op.execute("DROP POLICY IF EXISTS remit ON dropout_written_reports")
    op.drop_column("dropout_written_reports", "known_to", if_exists=True)
    op.drop_column("dropout_report_receipts", "known_to", if_exists=True)
    op.drop_column("dropout_persuasions", "known_to", if_exists=True)
    op.drop_column("dropout_measures", "known_to", if_exists=True)
    op.drop_column("dropout_alerts", "doubt", if_exists=True)
    op.drop_column("dropout_alerts", "handed_over_by", if_exists=True)
    op.drop_column("dropout_alerts", "known_to", if_exists=True)
    op.drop_index(
        "ix_dropout_alert_steps_child_id", table_name="dropout_alert_steps", if_exists=True
    )
    op.drop_index(
        "ix_dropout_alert_steps_alert_id", table_name="dropout_alert_steps", if_exists=True
    )
    op.drop_table("dropout_alert_steps", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON dropout_alerts")
    op.execute(
        "CREATE POLICY remit ON dropout_alerts USING (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    op.execute("REVOKE ALL ON dropout_measures FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, pupil_of, region_code) ON dropout_measures TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_measures")
    op.execute(
        "CREATE POLICY remit ON dropout_measures USING (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    op.execute("REVOKE ALL ON dropout_persuasions FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, pupil_of, region_code) ON dropout_persuasions TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_persuasions")
    op.execute(
        "CREATE POLICY remit ON dropout_persuasions USING (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_report_receipts")
    op.execute(
        "CREATE POLICY remit ON dropout_report_receipts USING (\nCASE\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    op.execute("REVOKE ALL ON dropout_written_reports FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (addressed, pupil_of, region_code) ON dropout_written_reports TO tonghu_app"
    )
    op.execute("DROP POLICY IF EXISTS remit ON dropout_written_reports")
    op.execute(
        "CREATE POLICY remit ON dropout_written_reports USING (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (addressed) THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_doubt")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_dropout_alerts_handed_over_by_id",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
