"""attendance

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0009
Revises: 0008
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "attendance_days",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("school_day", sa.Date(), nullable=False),
        sa.Column("first_reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "school_day", name=op.f("pk_attendance_days")),
    )
    op.create_table(
        "attendance_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_attendance_batches_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_batches")),
    )
    op.create_index(
        "ix_attendance_batches_agency_id_received_at",
        "attendance_batches",
        ["agency_id", "received_at"],
        unique=False,
    )
    op.create_table(
        "school_calendar_days",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_school_day", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_school_calendar_days_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_school_calendar_days")),
    )
    op.create_index(
        "uq_school_calendar_days_agency",
        "school_calendar_days",
        ["agency_id", "day"],
        unique=True,
        postgresql_where=sa.text("agency_id IS NOT NULL"),
    )
    op.create_index(
        "uq_school_calendar_days_region",
        "school_calendar_days",
        ["region_code", "day"],
        unique=True,
        postgresql_where=sa.text("agency_id IS NULL"),
    )
    op.create_table(
        "attendance_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("school_day", sa.Date(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('present', 'excused', 'unexcused', 'late', 'left_early', 'withdrawn')",
            name=op.f("ck_attendance_events_category"),
        ),
        sa.CheckConstraint(
            "session IN ('whole_day', 'morning', 'afternoon')",
            name=op.f("ck_attendance_events_session"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_events")),
    )
    op.create_index(
        "ix_attendance_events_child",
        "attendance_events",
        ["child_id", "school_day", "id"],
        unique=False,
    )
    op.create_index(
        "uq_attendance_events_origin",
        "attendance_events",
        ["agency_id", "source", "event_id"],
        unique=True,
    )
    op.create_table(
        "attendance_slots",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("school_day", sa.Date(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_row_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('present', 'excused', 'unexcused', 'late', 'left_early', 'withdrawn')",
            name=op.f("ck_attendance_slots_category"),
        ),
        sa.CheckConstraint(
            "session IN ('whole_day', 'morning', 'afternoon')",
            name=op.f("ck_attendance_slots_session"),
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint(
            "home_county",
            "child_id",
            "school_id",
            "school_day",
            "session",
            name=op.f("pk_attendance_slots"),
        ),
    )
    op.create_index("ix_attendance_slots_batch_id", "attendance_slots", ["batch_id"], unique=False)
    op.create_index(
        "ix_attendance_slots_child_id_school_day",
        "attendance_slots",
        ["child_id", "school_day"],
        unique=False,
    )
    op.execute("REVOKE ALL ON attendance_batches FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON attendance_batches TO tonghu_app")
    op.execute("ALTER TABLE attendance_batches ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attendance_batches FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON attendance_batches USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system') WITH CHECK (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )
    op.execute("REVOKE ALL ON attendance_days FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON attendance_days TO tonghu_app")
    op.execute("REVOKE ALL ON attendance_events FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON attendance_events TO tonghu_app")
    op.execute("ALTER TABLE attendance_events ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attendance_events FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON attendance_events USING (attendance_events.agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = attendance_events.home_county AND c.id = attendance_events.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = attendance_events.home_county AND c.id = attendance_events.child_id))"
    )
    op.execute("REVOKE ALL ON attendance_slots FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON attendance_slots TO tonghu_app")
    op.execute("ALTER TABLE attendance_slots ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attendance_slots FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON attendance_slots USING (attendance_slots.school_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR EXISTS (SELECT 1 FROM children c WHERE c.home_county = attendance_slots.home_county AND c.id = attendance_slots.child_id)) WITH CHECK (EXISTS (SELECT 1 FROM children c WHERE c.home_county = attendance_slots.home_county AND c.id = attendance_slots.child_id))"
    )
    op.execute("REVOKE ALL ON school_calendar_days FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON school_calendar_days TO tonghu_app")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON attendance_batches")
    op.execute("DROP POLICY IF EXISTS remit ON attendance_events")
    op.execute("DROP POLICY IF EXISTS remit ON attendance_slots")
    op.drop_index("ix_attendance_slots_child_id_school_day", table_name="attendance_slots")
    op.drop_index("ix_attendance_slots_batch_id", table_name="attendance_slots")
    op.drop_table("attendance_slots")
    op.drop_index("uq_attendance_events_origin", table_name="attendance_events")
    op.drop_index("ix_attendance_events_child", table_name="attendance_events")
    op.drop_table("attendance_events")
    op.drop_index(
        "uq_school_calendar_days_region",
        table_name="school_calendar_days",
        postgresql_where=sa.text("agency_id IS NULL"),
    )
    op.drop_index(
        "uq_school_calendar_days_agency",
        table_name="school_calendar_days",
        postgresql_where=sa.text("agency_id IS NOT NULL"),
    )
    op.drop_table("school_calendar_days")
    op.drop_index("ix_attendance_batches_agency_id_received_at", table_name="attendance_batches")
    op.drop_table("attendance_batches")
    op.drop_table("attendance_days")
