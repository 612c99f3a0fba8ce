"""police see what was sent to them whichever office words mean

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0081
Revises: 0080
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0081"
down_revision: str | Sequence[str] | None = "0080"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.execute(
        "CREATE POLICY remit ON webhook_deliveries USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN CASE WHEN EXISTS (SELECT FROM agencies a WHERE a.id = NULLIF(current_setting('tonghu.agency', true), '')::uuid AND a.kind = 'police') THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN CASE WHEN EXISTS (SELECT FROM agencies a WHERE a.id = NULLIF(current_setting('tonghu.agency', true), '')::uuid AND a.kind = 'police') THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.execute(
        "CREATE POLICY remit ON webhook_deliveries USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = webhook_deliveries.ordering_key AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    ELSE false\nEND)"
    )
