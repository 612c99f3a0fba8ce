"""a case is answered, and closed by two

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0030
Revises: 0029
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | Sequence[str] | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "police_reports",
        sa.Column("disposed_as", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports", sa.Column("closure_step_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "police_reports",
        sa.Column("closure_agency_id", sa.Uuid(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("closure_staff_id", sa.Uuid(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports", sa.Column("outcome", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded', 'closure_proposed', 'reopened', 'identified', 'joined')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )


def downgrade() -> None:
    op.drop_column("police_reports", "outcome", if_exists=True)
    op.drop_column("police_reports", "closed_at", if_exists=True)
    op.drop_column("police_reports", "closure_staff_id", if_exists=True)
    op.drop_column("police_reports", "closure_agency_id", if_exists=True)
    op.drop_column("police_reports", "closure_step_id", if_exists=True)
    op.drop_column("police_reports", "assessed_at", if_exists=True)
    op.drop_column("police_reports", "handled_at", if_exists=True)
    op.drop_column("police_reports", "disposed_as", if_exists=True)
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step::text = ANY (ARRAY['delivered'::character varying, 'acknowledged'::character varying, 'dispatched'::character varying, 'disposed'::character varying, 'township_notified'::character varying, 'township_received'::character varying, 'assessed'::character varying, 'services_arranged'::character varying, 'closed'::character varying, 'forwarded'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
