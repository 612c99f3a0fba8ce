"""a roll is taken back

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0042
Revises: 0041
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0042"
down_revision: str | Sequence[str] | None = "0041"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "attendance_rolls",
        sa.Column("category", sa.String(), server_default="roll", nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "attendance_rolls",
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        if_not_exists=True,
    )
    op.execute(
        "ALTER TABLE attendance_rolls DROP CONSTRAINT IF EXISTS ck_attendance_rolls_category"
    )
    op.execute(
        "ALTER TABLE attendance_rolls ADD CONSTRAINT ck_attendance_rolls_category CHECK (category IN ('roll', 'withdrawn')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE attendance_rolls VALIDATE CONSTRAINT ck_attendance_rolls_category")


def downgrade() -> None:
    op.drop_column("attendance_rolls", "sequence")
    op.drop_column("attendance_rolls", "category")
    op.execute(
        "ALTER TABLE attendance_rolls DROP CONSTRAINT IF EXISTS ck_attendance_rolls_category"
    )
