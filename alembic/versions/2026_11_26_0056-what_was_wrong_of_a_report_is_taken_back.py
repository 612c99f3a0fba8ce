"""what was wrong of a report is taken back

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0056
Revises: 0055
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0056"
down_revision: str | Sequence[str] | None = "0055"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("REVOKE ALL ON presence_sightings FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (pupil_of, region_code) ON presence_sightings TO tonghu_app"
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded', 'closure_proposed', 'reopened', 'identified', 'suspect_named', 'joined', 'described', 'identification_withdrawn', 'separated')) NOT VALID"
    )
    op.execute("ALTER TABLE presence_doubts DROP CONSTRAINT IF EXISTS ck_presence_doubts_finding")
    op.execute(
        "ALTER TABLE presence_doubts ADD CONSTRAINT ck_presence_doubts_finding CHECK (finding IN ('here', 'elsewhere', 'mistaken')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
        op.execute("ALTER TABLE presence_doubts VALIDATE CONSTRAINT ck_presence_doubts_finding")


def downgrade() -> None:
    op.execute("REVOKE ALL ON presence_sightings FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON presence_sightings TO tonghu_app"
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step::text = ANY (ARRAY['delivered'::character varying, 'acknowledged'::character varying, 'dispatched'::character varying, 'disposed'::character varying, 'township_notified'::character varying, 'township_received'::character varying, 'assessed'::character varying, 'services_arranged'::character varying, 'closed'::character varying, 'forwarded'::character varying, 'closure_proposed'::character varying, 'reopened'::character varying, 'identified'::character varying, 'suspect_named'::character varying, 'joined'::character varying, 'described'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE presence_doubts DROP CONSTRAINT IF EXISTS ck_presence_doubts_finding")
    op.execute(
        "ALTER TABLE presence_doubts ADD CONSTRAINT ck_presence_doubts_finding CHECK (finding::text = ANY (ARRAY['here'::character varying, 'elsewhere'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
        op.execute("ALTER TABLE presence_doubts VALIDATE CONSTRAINT ck_presence_doubts_finding")
