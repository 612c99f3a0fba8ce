"""what agencies learn nothing of, for lists that know an id

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0052
Revises: 0051
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0052"
down_revision: str | Sequence[str] | None = "0051"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.create_table(
        "hidden_subjects",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("hidden_below", sa.BigInteger(), nullable=False),
        sa.Column("filed_by_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_hidden_subjects")),
        if_not_exists=True,
    )
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute(
        "CREATE POLICY remit ON audit_entries USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid AND decision = 'denied' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = audit_entries.subject_id AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (true)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN told_to IS NOT NULL AND EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND (told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to))) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    op.execute("REVOKE ALL ON hidden_subjects FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON hidden_subjects TO tonghu_app")
    op.execute("ALTER TABLE hidden_subjects ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE hidden_subjects FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON hidden_subjects")
    op.execute(
        "CREATE POLICY remit ON hidden_subjects USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) OR (hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid) THEN (true) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.execute(
        "CREATE POLICY remit ON webhook_deliveries USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END)"
    )
    op.execute(
        "ALTER TABLE webhook_deliveries DROP CONSTRAINT IF EXISTS ck_webhook_deliveries_state"
    )
    op.execute(
        "ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_state CHECK (state IN ('pending', 'leased', 'succeeded', 'exhausted', 'closed', 'withheld')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT ck_webhook_deliveries_state")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute("DROP POLICY IF EXISTS remit ON hidden_subjects")
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.drop_table("hidden_subjects", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute(
        "CREATE POLICY remit ON audit_entries USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (true)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to)))\n    ELSE false\nEND) WITH CHECK (NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text)"
    )
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.execute(
        "CREATE POLICY remit ON webhook_deliveries USING (agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid OR NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text) WITH CHECK (agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid OR NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text)"
    )
    op.execute(
        "ALTER TABLE webhook_deliveries DROP CONSTRAINT IF EXISTS ck_webhook_deliveries_state"
    )
    op.execute(
        "ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_state CHECK (state::text = ANY (ARRAY['pending'::character varying, 'leased'::character varying, 'succeeded'::character varying, 'exhausted'::character varying, 'closed'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT ck_webhook_deliveries_state")
