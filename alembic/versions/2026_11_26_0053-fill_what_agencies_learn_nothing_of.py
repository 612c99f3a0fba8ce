"""fill what agencies learn nothing of

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0053
Revises: 0052
"""

from collections.abc import Sequence

from alembic import op
from reach import every_row

revision: str = "0053"
down_revision: str | Sequence[str] | None = "0052"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Reports that anybody must learn nothing of are few. Those filed meanwhile by the release before
    # are noted when the next report of their chain is.
    with every_row("police_reports", "duties", "hidden_subjects"):
        op.execute(
            "WITH named AS (SELECT id, hidden_from, hidden_below, reporter_agency_id"
            " FROM police_reports WHERE hidden_below > 0 OR cardinality(hidden_from) > 0)"
            " INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below, filed_by_id)"
            " SELECT * FROM named UNION ALL"
            " SELECT d.id, n.hidden_from, n.hidden_below, n.reporter_agency_id"
            " FROM named n JOIN duties d ON d.subject_id = n.id ON CONFLICT DO NOTHING"
        )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
