"""what the police left out is judged

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0111
Revises: 0110
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0111"
down_revision: str | Sequence[str] | None = "0110"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "police_reports",
        sa.Column(
            "incomplete_as", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("omission_step_id", sa.Uuid(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("omitted_by", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded', 'closure_proposed', 'reopened', 'identified', 'suspect_named', 'joined', 'described', 'identification_withdrawn', 'separated', 'suspect_withdrawn', 'assisted', 'omission_confirmed', 'omission_rejected', 'investigated')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )


def downgrade() -> None:
    op.drop_column("police_reports", "omitted_by", if_exists=True)
    op.drop_column("police_reports", "omission_step_id", if_exists=True)
    op.drop_column("police_reports", "incomplete_as", if_exists=True)
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step::text = ANY (ARRAY['delivered'::character varying, 'acknowledged'::character varying, 'dispatched'::character varying, 'disposed'::character varying, 'township_notified'::character varying, 'township_received'::character varying, 'assessed'::character varying, 'services_arranged'::character varying, 'closed'::character varying, 'forwarded'::character varying, 'closure_proposed'::character varying, 'reopened'::character varying, 'identified'::character varying, 'suspect_named'::character varying, 'joined'::character varying, 'described'::character varying, 'identification_withdrawn'::character varying, 'separated'::character varying, 'suspect_withdrawn'::character varying, 'assisted'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
