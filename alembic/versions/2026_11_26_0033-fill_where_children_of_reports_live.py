"""fill where children of reports live

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0033
Revises: 0032
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0033"
down_revision: str | Sequence[str] | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    lives = (
        "SELECT c.region_code FROM children c"
        " WHERE c.home_county = police_reports.home_county AND c.id = police_reports.child_id"
    )
    in_batches(
        "police_reports",
        f"child_county = home_county, home_region = ({lives})",
        where="child_id IS NOT NULL AND child_county IS NULL",
        reads=("children",),
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
