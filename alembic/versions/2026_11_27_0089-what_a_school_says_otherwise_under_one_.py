"""what a school says otherwise under one id

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0089
Revises: 0088
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0089"
down_revision: str | Sequence[str] | None = "0088"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "attendance_contradictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("said_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_contradictions")),
    )
    op.create_index(
        "uq_attendance_contradictions_said",
        "attendance_contradictions",
        ["agency_id", "source", "event_id", "content_sha256"],
        unique=True,
    )
    op.add_column("attendance_rolls", sa.Column("as_sent_sealed", sa.LargeBinary(), nullable=True))
    op.execute("REVOKE ALL ON attendance_contradictions FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON attendance_contradictions TO tonghu_app")
    op.execute("ALTER TABLE attendance_contradictions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE attendance_contradictions FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON attendance_contradictions USING (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system') WITH CHECK (agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid OR NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON attendance_contradictions")
    op.drop_column("attendance_rolls", "as_sent_sealed")
    op.drop_index("uq_attendance_contradictions_said", table_name="attendance_contradictions")
    op.drop_table("attendance_contradictions")
