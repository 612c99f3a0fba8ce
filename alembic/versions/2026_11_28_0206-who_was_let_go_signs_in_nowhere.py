"""who was let go signs in nowhere

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0206
Revises: 0205
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0206"
down_revision: str | Sequence[str] | None = "0205"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON staff")
    op.execute(
        "CREATE POLICY remit ON staff USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text IN ('system', 'sign-in') THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text IN ('system', 'sign-in') THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON staff")
    op.execute(
        "CREATE POLICY remit ON staff USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
