"""an event is shown by what of it is seen

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0067
Revises: 0066
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0067"
down_revision: str | Sequence[str] | None = "0066"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.add_column(
        "audit_entries",
        sa.Column("beside_ids", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "police_reports",
        sa.Column("stated_incident_id", sa.Uuid(), nullable=True),
        if_not_exists=True,
    )
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute(
        "CREATE POLICY remit ON audit_entries USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid AND decision = 'denied' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = ANY (audit_entries.subject_id || audit_entries.beside_ids) AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (true)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_stated_incident")
        op.create_index(
            "ix_police_reports_stated_incident",
            "police_reports",
            ["stated_incident_id"],
            unique=False,
            postgresql_where=sa.text("stated_incident_id IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.drop_column("police_reports", "stated_incident_id", if_exists=True)
    op.drop_column("audit_entries", "beside_ids", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.execute(
        "CREATE POLICY remit ON audit_entries USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid AND decision::text = 'denied'::text THEN true\n    WHEN (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = audit_entries.subject_id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (true)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_police_reports_stated_incident",
            table_name="police_reports",
            postgresql_where=sa.text("stated_incident_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
