"""a school says that it spoke to the parents

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0108
Revises: 0107
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0108"
down_revision: str | Sequence[str] | None = "0107"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "dropout_alert_steps", sa.Column("spoken_on", sa.Date(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_alert_steps", sa.Column("stated_on", sa.Date(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_alert_steps", sa.Column("method", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind IN ('handed_over', 'doubted', 'doubt_settled', 'reopened', 'continued', 'entered', 'spoken')) NOT VALID"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_method"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_method CHECK (method IN ('home_visit', 'phone', 'message', 'meeting', 'other')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_method"
        )


def downgrade() -> None:
    op.drop_column("dropout_alert_steps", "method", if_exists=True)
    op.drop_column("dropout_alert_steps", "stated_on", if_exists=True)
    op.drop_column("dropout_alert_steps", "spoken_on", if_exists=True)
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind::text = ANY (ARRAY['handed_over'::character varying, 'doubted'::character varying, 'doubt_settled'::character varying, 'reopened'::character varying, 'continued'::character varying, 'entered'::character varying]::text[])) NOT VALID"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_method"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )
