"""who reported helps the police

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0090
Revises: 0089
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0090"
down_revision: str | Sequence[str] | None = "0089"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded', 'closure_proposed', 'reopened', 'identified', 'suspect_named', 'joined', 'described', 'identification_withdrawn', 'separated', 'suspect_withdrawn', 'assisted')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step::text = ANY (ARRAY['delivered'::character varying, 'acknowledged'::character varying, 'dispatched'::character varying, 'disposed'::character varying, 'township_notified'::character varying, 'township_received'::character varying, 'assessed'::character varying, 'services_arranged'::character varying, 'closed'::character varying, 'forwarded'::character varying, 'closure_proposed'::character varying, 'reopened'::character varying, 'identified'::character varying, 'suspect_named'::character varying, 'joined'::character varying, 'described'::character varying, 'identification_withdrawn'::character varying, 'separated'::character varying, 'suspect_withdrawn'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
