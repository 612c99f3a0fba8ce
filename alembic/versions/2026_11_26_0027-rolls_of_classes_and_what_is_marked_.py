"""rolls of classes, and what is marked about a time

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0027
Revises: 0026
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0027"
down_revision: str | Sequence[str] | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "attendance_rolls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("class_name", sa.String(), nullable=False),
        sa.Column("class_key", sa.String(), nullable=False),
        sa.Column("school_day", sa.Date(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("doubt", sa.String(), nullable=True),
        sa.Column("pupils", sa.Integer(), nullable=False),
        sa.Column("spoke_for", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "doubt IN ('clock', 'day_ahead')", name=op.f("ck_attendance_rolls_doubt")
        ),
        sa.CheckConstraint(
            "session IN ('whole_day', 'morning', 'afternoon')",
            name=op.f("ck_attendance_rolls_session"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_rolls")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_attendance_rolls_batch_id",
        "attendance_rolls",
        ["batch_id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_attendance_rolls_class",
        "attendance_rolls",
        ["agency_id", "class_key", "school_day"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "uq_attendance_rolls_origin",
        "attendance_rolls",
        ["agency_id", "source", "event_id"],
        unique=True,
        if_not_exists=True,
    )
    op.add_column(
        "attendance_events", sa.Column("doubt", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("REVOKE ALL ON attendance_rolls FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON attendance_rolls TO tonghu_app")
    op.execute("ALTER TABLE attendance_rolls ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attendance_rolls FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON attendance_rolls")
    op.execute(
        "CREATE POLICY remit ON attendance_rolls USING (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system') WITH CHECK (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    op.execute("ALTER TABLE attendance_events DROP CONSTRAINT IF EXISTS ck_attendance_events_doubt")
    op.execute(
        "ALTER TABLE attendance_events ADD CONSTRAINT ck_attendance_events_doubt CHECK (doubt IN ('clock', 'day_ahead')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE attendance_events VALIDATE CONSTRAINT ck_attendance_events_doubt")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON attendance_rolls")
    op.drop_column("attendance_events", "doubt")
    op.drop_index("uq_attendance_rolls_origin", table_name="attendance_rolls")
    op.drop_index("ix_attendance_rolls_class", table_name="attendance_rolls")
    op.drop_index("ix_attendance_rolls_batch_id", table_name="attendance_rolls")
    op.drop_table("attendance_rolls")
    op.execute("ALTER TABLE attendance_events DROP CONSTRAINT IF EXISTS ck_attendance_events_doubt")
