"""police see what they owe, whichever office words mean

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0073
Revises: 0072
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0073"
down_revision: str | Sequence[str] | None = "0072"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN told_to IS NOT NULL AND CASE WHEN bearer_role = 'police' AND bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END THEN (false) WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN overseer_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN ((told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to))) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND (told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to))) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN told_to IS NOT NULL AND (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN overseer_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to))\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to)))\n    ELSE false\nEND) WITH CHECK (NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text)"
    )
