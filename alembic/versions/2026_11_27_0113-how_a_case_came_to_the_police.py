"""how a case came to the police

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0113
Revises: 0112
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0113"
down_revision: str | Sequence[str] | None = "0112"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "police_reports", sa.Column("came_by", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute("ALTER TABLE police_reports DROP CONSTRAINT IF EXISTS ck_police_reports_came_by")
    op.execute(
        "ALTER TABLE police_reports ADD CONSTRAINT ck_police_reports_came_by CHECK (came_by IN ('call', 'patrol', 'found', 'in_person')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE police_reports VALIDATE CONSTRAINT ck_police_reports_came_by")


def downgrade() -> None:
    op.drop_column("police_reports", "came_by")
    op.execute("ALTER TABLE police_reports DROP CONSTRAINT IF EXISTS ck_police_reports_came_by")
