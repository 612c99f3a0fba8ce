"""fill which questions hold no finding

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0038
Revises: 0037
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0038"
down_revision: str | Sequence[str] | None = "0037"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # What a visit that waits says is sealed: it counts as abnormal. Nothing else holds findings.
    in_batches("unresolved", "abnormal = false", where="kind <> 'visit' AND abnormal")


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
