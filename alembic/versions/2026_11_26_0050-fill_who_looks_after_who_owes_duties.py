"""fill who looks after who owes duties

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0050
Revises: 0049
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0050"
down_revision: str | Sequence[str] | None = "0049"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # The education authority nearest to the school that owes it: of its county, or above.
    nearest = (
        "(SELECT e.id FROM agencies s JOIN agencies e ON e.region_code IN (s.region_code,"
        " s.region_code / 1000 * 1000, s.region_code / 1000000 * 1000000,"
        " s.region_code / 100000000 * 100000000, s.region_code / 10000000000 * 10000000000, 0)"
        " WHERE s.id = duties.bearer_agency_id AND e.active AND e.kind = 'education'"
        " ORDER BY e.region_code DESC, e.id LIMIT 1)"
    )
    in_batches(
        "duties",
        f"overseer_id = {nearest}",
        where="overseer_id IS NULL AND rule IN ('EDU-04', 'EDU-01.presence')"
        f" AND {nearest} IS NOT NULL",
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
