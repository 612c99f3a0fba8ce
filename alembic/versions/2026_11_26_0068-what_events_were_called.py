"""what events were called

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0068
Revises: 0067
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0068"
down_revision: str | Sequence[str] | None = "0067"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # What an event is called by so far, it goes on being found by.
    in_batches(
        "police_reports",
        "stated_incident_id = incident_id",
        where="stated_incident_id IS NULL AND incident_id IS NOT NULL",
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
