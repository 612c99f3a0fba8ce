"""fill whom rows are hidden from

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0142
Revises: 0141
"""

from collections.abc import Sequence

from alembic import op
from reach import in_batches

revision: str = "0142"
down_revision: str | Sequence[str] | None = "0141"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CARRYING = {"duties": "subject_id", "presence_doubts": "id", "referrals": "id"}
SAID = "hidden_from, hidden_below, police_below, filed_by_id"


def upgrade() -> None:
    for table, column in CARRYING.items():
        said = f"hidden_subjects h WHERE h.subject_id = {table}.{column}"
        in_batches(
            table,
            f"({SAID}) = (SELECT {SAID} FROM {said})",
            where=f"hidden_from IS NULL AND EXISTS (SELECT FROM {said})",
            reads=("hidden_subjects",),
        )


def downgrade() -> None:
    pass  # The rows keep what they got; the columns go with their own revision.
