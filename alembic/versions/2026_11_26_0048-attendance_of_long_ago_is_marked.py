"""attendance of long ago is marked

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0048
Revises: 0047
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0048"
down_revision: str | Sequence[str] | None = "0047"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE attendance_events DROP CONSTRAINT IF EXISTS ck_attendance_events_doubt")
    op.execute(
        "ALTER TABLE attendance_events ADD CONSTRAINT ck_attendance_events_doubt CHECK (doubt IN ('clock', 'day_ahead', 'long_ago')) NOT VALID"
    )
    op.execute("ALTER TABLE attendance_rolls DROP CONSTRAINT IF EXISTS ck_attendance_rolls_doubt")
    op.execute(
        "ALTER TABLE attendance_rolls ADD CONSTRAINT ck_attendance_rolls_doubt CHECK (doubt IN ('clock', 'day_ahead', 'long_ago')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE attendance_events VALIDATE CONSTRAINT ck_attendance_events_doubt")
        op.execute("ALTER TABLE attendance_rolls VALIDATE CONSTRAINT ck_attendance_rolls_doubt")


def downgrade() -> None:
    op.execute("ALTER TABLE attendance_events DROP CONSTRAINT IF EXISTS ck_attendance_events_doubt")
    op.execute(
        "ALTER TABLE attendance_events ADD CONSTRAINT ck_attendance_events_doubt CHECK (doubt::text = ANY (ARRAY['clock'::character varying, 'day_ahead'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE attendance_rolls DROP CONSTRAINT IF EXISTS ck_attendance_rolls_doubt")
    op.execute(
        "ALTER TABLE attendance_rolls ADD CONSTRAINT ck_attendance_rolls_doubt CHECK (doubt::text = ANY (ARRAY['clock'::character varying, 'day_ahead'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE attendance_events VALIDATE CONSTRAINT ck_attendance_events_doubt")
        op.execute("ALTER TABLE attendance_rolls VALIDATE CONSTRAINT ck_attendance_rolls_doubt")
