"""what is found otherwise was entered

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0112
Revises: 0111
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0112"
down_revision: str | Sequence[str] | None = "0111"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "confirmations", sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("confirmations", sa.Column("instead_of", sa.Uuid(), nullable=True))
    op.execute("REVOKE ALL ON confirmations FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (entered_at, pupil_of, region_code) ON confirmations"
        " TO tonghu_app"
    )


def downgrade() -> None:
    op.drop_column("confirmations", "instead_of")
    op.drop_column("confirmations", "entered_at")
    op.execute("REVOKE ALL ON confirmations FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON confirmations TO tonghu_app"
    )
