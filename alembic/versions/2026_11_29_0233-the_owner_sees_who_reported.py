"""the owner sees who reported

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0233
Revises: 0232
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0233"
down_revision: str | Sequence[str] | None = "0232"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


_OF_POLICE = (
    "EXISTS (SELECT 1 FROM police_reports r WHERE r.id = police_reporters.report_id"
    " AND r.police_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid)"
)
_OF_OWNER = "has_table_privilege('police_reporters', 'TRUNCATE')"


def upgrade() -> None:
    _let(f"CASE WHEN {_OF_OWNER} THEN (true) WHEN {_OF_POLICE} THEN (true) ELSE false END")


def downgrade() -> None:
    _let(_OF_POLICE)


def _let(using: str) -> None:
    op.execute("DROP POLICY IF EXISTS remit ON police_reporters")
    op.execute(f"CREATE POLICY remit ON police_reporters USING ({using}) WITH CHECK (true)")
