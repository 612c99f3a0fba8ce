"""fill as what was reported

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0035
Revises: 0034
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import in_batches

revision: str = "0035"
down_revision: str | Sequence[str] | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    bearer = (
        "(SELECT b.code FROM agencies a JOIN (VALUES ('school', 'school'),"
        " ('hospital', 'medical_institution'), ('village_committee', 'village_committee'),"
        " ('social_work', 'social_work_organisation'),"
        " ('rescue_institution', 'rescue_institution'),"
        " ('welfare_institution', 'welfare_institution'),"
        " ('township_government', 'state_organ'), ('civil_affairs', 'state_organ')"
        ") AS b (kind, code) ON b.kind = a.kind WHERE a.id = police_reports.reporter_agency_id)"
    )
    in_batches(
        "police_reports",
        f"bound_as = {bearer}",
        where=f"bound_as IS NULL AND {bearer} IS NOT NULL",
        reads=("agencies",),
    )


def downgrade() -> None:
    pass  # The rows keep what they got; the column goes with its own revision.
