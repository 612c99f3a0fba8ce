"""a duty that was not done lapses

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0085
Revises: 0084
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0085"
down_revision: str | Sequence[str] | None = "0084"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "duties",
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_state")
    op.execute(
        "ALTER TABLE duties ADD CONSTRAINT ck_duties_state CHECK (state IN ('open', 'overdue', 'lapsed', 'discharged', 'cancelled')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE duties VALIDATE CONSTRAINT ck_duties_state")


def downgrade() -> None:
    op.drop_column("duties", "lapsed_at", if_exists=True)
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_state")
    op.execute(
        "ALTER TABLE duties ADD CONSTRAINT ck_duties_state CHECK (state::text = ANY (ARRAY['open'::character varying, 'overdue'::character varying, 'discharged'::character varying, 'cancelled'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE duties VALIDATE CONSTRAINT ck_duties_state")
