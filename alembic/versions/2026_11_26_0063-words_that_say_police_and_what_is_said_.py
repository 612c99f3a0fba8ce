"""words that say police and what is said of a suspect is taken back

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0063
Revises: 0062
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0063"
down_revision: str | Sequence[str] | None = "0062"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.add_column(
        "police_reports",
        sa.Column("police_below", sa.BigInteger(), server_default="0", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("meant", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports", sa.Column("suspect_step_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (former_police) THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) WHEN home_region >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND home_region < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) WHEN NULLIF(current_setting('tonghu.lo', true), '')::bigint = ANY (former_homes) THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (former_police) THEN (NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= police_below) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) WHEN home_region >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND home_region < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) WHEN NULLIF(current_setting('tonghu.lo', true), '')::bigint = ANY (former_homes) THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint >= hidden_below) ELSE false END)"
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step IN ('delivered', 'acknowledged', 'dispatched', 'disposed', 'township_notified', 'township_received', 'assessed', 'services_arranged', 'closed', 'forwarded', 'closure_proposed', 'reopened', 'identified', 'suspect_named', 'joined', 'described', 'identification_withdrawn', 'separated', 'suspect_withdrawn')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.drop_column("police_reports", "suspect_step_id", if_exists=True)
    op.drop_column("police_reports", "meant", if_exists=True)
    op.drop_column("police_reports", "police_below", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (hidden_from) THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (also_told) THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (former_police) THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    WHEN home_region >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND home_region < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    WHEN NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint = ANY (former_homes) THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (hidden_from) THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (also_told) THEN true\n    WHEN NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (former_police) THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    WHEN home_region >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND home_region < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    WHEN NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint = ANY (former_homes) THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) >= hidden_below\n    ELSE false\nEND)"
    )
    op.execute(
        "ALTER TABLE police_report_steps DROP CONSTRAINT IF EXISTS ck_police_report_steps_step"
    )
    op.execute(
        "ALTER TABLE police_report_steps ADD CONSTRAINT ck_police_report_steps_step CHECK (step::text = ANY (ARRAY['delivered'::character varying, 'acknowledged'::character varying, 'dispatched'::character varying, 'disposed'::character varying, 'township_notified'::character varying, 'township_received'::character varying, 'assessed'::character varying, 'services_arranged'::character varying, 'closed'::character varying, 'forwarded'::character varying, 'closure_proposed'::character varying, 'reopened'::character varying, 'identified'::character varying, 'suspect_named'::character varying, 'joined'::character varying, 'described'::character varying, 'identification_withdrawn'::character varying, 'separated'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE police_report_steps VALIDATE CONSTRAINT ck_police_report_steps_step"
        )
