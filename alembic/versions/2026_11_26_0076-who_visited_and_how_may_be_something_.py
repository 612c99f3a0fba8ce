"""who visited and how may be something else

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0076
Revises: 0075
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0076"
down_revision: str | Sequence[str] | None = "0075"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE visits DROP CONSTRAINT IF EXISTS ck_visits_channel")
    op.execute(
        "ALTER TABLE visits ADD CONSTRAINT ck_visits_channel CHECK (channel IN ('in_person', 'phone', 'video', 'other')) NOT VALID"
    )
    op.execute("ALTER TABLE visits DROP CONSTRAINT IF EXISTS ck_visits_visitor_type")
    op.execute(
        "ALTER TABLE visits ADD CONSTRAINT ck_visits_visitor_type CHECK (visitor_type IN ('child_director', 'township_supervisor', 'party_cadre', 'stationed_cadre', 'social_worker', 'teacher', 'police', 'civil_affairs', 'other')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE visits VALIDATE CONSTRAINT ck_visits_channel")
        op.execute("ALTER TABLE visits VALIDATE CONSTRAINT ck_visits_visitor_type")


def downgrade() -> None:
    op.execute("ALTER TABLE visits DROP CONSTRAINT IF EXISTS ck_visits_channel")
    op.execute(
        "ALTER TABLE visits ADD CONSTRAINT ck_visits_channel CHECK (channel::text = ANY (ARRAY['in_person'::character varying, 'phone'::character varying, 'video'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE visits DROP CONSTRAINT IF EXISTS ck_visits_visitor_type")
    op.execute(
        "ALTER TABLE visits ADD CONSTRAINT ck_visits_visitor_type CHECK (visitor_type::text = ANY (ARRAY['child_director'::character varying, 'township_supervisor'::character varying, 'party_cadre'::character varying, 'stationed_cadre'::character varying, 'social_worker'::character varying, 'teacher'::character varying, 'police'::character varying, 'civil_affairs'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE visits VALIDATE CONSTRAINT ck_visits_channel")
        op.execute("ALTER TABLE visits VALIDATE CONSTRAINT ck_visits_visitor_type")
