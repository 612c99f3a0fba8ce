"""a file to be handed over is asked about

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0079
Revises: 0078
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0079"
down_revision: str | Sequence[str] | None = "0078"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_kind")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_kind CHECK (kind IN ('visit', 'attendance', 'referral', 'two_entries', 'report', 'handover')) NOT VALID"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_reason")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_reason CHECK (reason IN ('child_unknown', 'pupil_unknown', 'resident_id', 'id', 'name_and_birth_date', 'two_entries', 'several_children', 'same_child')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_unresolved_handed_over_once")
        op.create_index(
            "uq_unresolved_handed_over_once",
            "unresolved",
            ["child_id"],
            unique=True,
            postgresql_where=sa.text("state = 'open' AND kind = 'handover'"),
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_kind")
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_reason")


def downgrade() -> None:
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_kind")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_kind CHECK (kind::text = ANY (ARRAY['visit'::character varying, 'attendance'::character varying, 'referral'::character varying, 'two_entries'::character varying, 'report'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_reason")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_reason CHECK (reason::text = ANY (ARRAY['child_unknown'::character varying, 'pupil_unknown'::character varying, 'resident_id'::character varying, 'id'::character varying, 'name_and_birth_date'::character varying, 'two_entries'::character varying, 'several_children'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "uq_unresolved_handed_over_once",
            table_name="unresolved",
            postgresql_where=sa.text("state = 'open' AND kind = 'handover'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_kind")
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_reason")
