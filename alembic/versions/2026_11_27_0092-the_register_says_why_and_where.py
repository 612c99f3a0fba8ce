"""the register says why and where

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0092
Revises: 0091
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0092"
down_revision: str | Sequence[str] | None = "0091"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "dropout_alert_steps", sa.Column("cause", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_alert_steps",
        sa.Column("whereabouts", sa.String(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "dropout_alerts", sa.Column("cause", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "dropout_alerts", sa.Column("whereabouts", sa.String(), nullable=True), if_not_exists=True
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_cause"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_cause CHECK (cause IN ('poverty', 'illness', 'tired_of_school', 'working', 'family_care', 'conflict', 'moved', 'other')) NOT VALID"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind IN ('handed_over', 'doubted', 'doubt_settled', 'reopened', 'continued', 'entered')) NOT VALID"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_whereabouts"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_whereabouts CHECK (whereabouts IN ('at_home', 'with_relatives', 'working_away', 'with_parents', 'unknown')) NOT VALID"
    )
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_cause")
    op.execute(
        "ALTER TABLE dropout_alerts ADD CONSTRAINT ck_dropout_alerts_cause CHECK (cause IN ('poverty', 'illness', 'tired_of_school', 'working', 'family_care', 'conflict', 'moved', 'other')) NOT VALID"
    )
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_whereabouts")
    op.execute(
        "ALTER TABLE dropout_alerts ADD CONSTRAINT ck_dropout_alerts_whereabouts CHECK (whereabouts IN ('at_home', 'with_relatives', 'working_away', 'with_parents', 'unknown')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_open")
        op.create_index(
            "ix_dropout_alerts_open",
            "dropout_alerts",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state NOT IN ('returned', 'closed')"),
            postgresql_concurrently=True,
        )
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_cause"
        )
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_whereabouts"
        )
        op.execute("ALTER TABLE dropout_alerts VALIDATE CONSTRAINT ck_dropout_alerts_cause")
        op.execute("ALTER TABLE dropout_alerts VALIDATE CONSTRAINT ck_dropout_alerts_whereabouts")


def downgrade() -> None:
    op.drop_column("dropout_alerts", "whereabouts", if_exists=True)
    op.drop_column("dropout_alerts", "cause", if_exists=True)
    op.drop_column("dropout_alert_steps", "whereabouts", if_exists=True)
    op.drop_column("dropout_alert_steps", "cause", if_exists=True)
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_cause"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_kind"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps ADD CONSTRAINT ck_dropout_alert_steps_kind CHECK (kind::text = ANY (ARRAY['handed_over'::character varying, 'doubted'::character varying, 'doubt_settled'::character varying, 'reopened'::character varying, 'continued'::character varying]::text[])) NOT VALID"
    )
    op.execute(
        "ALTER TABLE dropout_alert_steps DROP CONSTRAINT IF EXISTS ck_dropout_alert_steps_whereabouts"
    )
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_cause")
    op.execute("ALTER TABLE dropout_alerts DROP CONSTRAINT IF EXISTS ck_dropout_alerts_whereabouts")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_dropout_alerts_open",
            table_name="dropout_alerts",
            postgresql_where=sa.text("state NOT IN ('returned', 'closed')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute(
            "ALTER TABLE dropout_alert_steps VALIDATE CONSTRAINT ck_dropout_alert_steps_kind"
        )
