"""two persons waive what somebody owes

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0109
Revises: 0108
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0109"
down_revision: str | Sequence[str] | None = "0108"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "duties",
        sa.Column("waiver_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column("duties", sa.Column("waiver_by", sa.String(), nullable=True), if_not_exists=True)
    op.add_column(
        "duties", sa.Column("waiver_staff_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "duties",
        sa.Column("waiver_reason_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "duties",
        sa.Column("waived_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column("duties", sa.Column("waived_by", sa.String(), nullable=True), if_not_exists=True)
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_state")
    op.execute(
        "ALTER TABLE duties ADD CONSTRAINT ck_duties_state CHECK (state IN ('open', 'overdue', 'lapsed', 'discharged', 'cancelled', 'waived')) NOT VALID"
    )
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_waived")
    op.execute(
        "ALTER TABLE duties ADD CONSTRAINT ck_duties_waived CHECK (state <> 'waived' OR waived_at IS NOT NULL) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE duties VALIDATE CONSTRAINT ck_duties_state")
        op.execute("ALTER TABLE duties VALIDATE CONSTRAINT ck_duties_waived")


def downgrade() -> None:
    op.drop_column("duties", "waived_by", if_exists=True)
    op.drop_column("duties", "waived_at", if_exists=True)
    op.drop_column("duties", "waiver_reason_sealed", if_exists=True)
    op.drop_column("duties", "waiver_staff_id", if_exists=True)
    op.drop_column("duties", "waiver_by", if_exists=True)
    op.drop_column("duties", "waiver_at", if_exists=True)
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_state")
    op.execute(
        "ALTER TABLE duties ADD CONSTRAINT ck_duties_state CHECK (state::text = ANY (ARRAY['open'::character varying, 'overdue'::character varying, 'lapsed'::character varying, 'discharged'::character varying, 'cancelled'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS ck_duties_waived")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE duties VALIDATE CONSTRAINT ck_duties_state")
