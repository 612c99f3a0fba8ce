"""what had ended an alert is taken back, and who is back says so

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0040
Revises: 0039
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0040"
down_revision: str | Sequence[str] | None = "0039"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "dropout_alerts", sa.Column("back_since", sa.Date(), nullable=True), if_not_exists=True
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind IN ('handed_over', 'doubted', 'doubt_settled', 'reopened', 'continued')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )


def downgrade() -> None:
    op.drop_column("dropout_alerts", "back_since", if_exists=True)
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind::text = ANY (ARRAY['handed_over'::character varying, 'doubted'::character varying, 'doubt_settled'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )
