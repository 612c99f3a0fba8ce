"""what a report says beside it never refuses it

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0016
Revises: 0015
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | Sequence[str] | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.add_column(
        "police_reports",
        sa.Column("also_told", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("as_sent_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("doubts", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("relieved_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN suspect_agency_id IS NOT DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (false) WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (also_told) THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END)"
    )
    op.execute("ALTER TABLE police_reports DROP CONSTRAINT IF EXISTS ck_police_reports_situations")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_waiting")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_police_reports_waiting ON police_reports USING btree (filed_at) WHERE acknowledged_at IS NULL AND relieved_at IS NULL"
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.drop_column("police_reports", "relieved_at", if_exists=True)
    op.drop_column("police_reports", "doubts", if_exists=True)
    op.drop_column("police_reports", "as_sent_sealed", if_exists=True)
    op.drop_column("police_reports", "also_told", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON police_reports")
    op.execute(
        "CREATE POLICY remit ON police_reports USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NOT suspect_agency_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN false\n    WHEN reporter_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN police_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN forwarded_by_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND)"
    )
    op.execute("ALTER TABLE police_reports DROP CONSTRAINT IF EXISTS ck_police_reports_situations")
    op.execute(
        "ALTER TABLE police_reports ADD CONSTRAINT ck_police_reports_situations CHECK (cardinality(situations) > 0) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE police_reports VALIDATE CONSTRAINT ck_police_reports_situations")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_waiting")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_police_reports_waiting ON police_reports USING btree (filed_at) WHERE acknowledged_at IS NULL AND superseded_by_id IS NULL"
        )
