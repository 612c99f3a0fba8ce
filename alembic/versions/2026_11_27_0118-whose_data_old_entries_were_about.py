"""whose data old entries were about

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0118
Revises: 0117
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import every_row

revision: str = "0118"
down_revision: str | Sequence[str] | None = "0117"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# By the key, so that a run that was stopped can start again.
_PAGE = """
WITH page AS (
    SELECT id, child_ids FROM audit_entries WHERE id > {after} ORDER BY id {limit}
), put AS (
    INSERT INTO audit_children (entry_id, child_ids)
    SELECT id, child_ids FROM page WHERE child_ids <> '{{}}' ON CONFLICT DO NOTHING
)
SELECT id FROM page ORDER BY id DESC LIMIT 1
"""
_FIRST = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    with op.get_context().autocommit_block(), every_row("audit_entries"):
        if op.get_context().as_sql:
            op.execute(_PAGE.format(after=f"'{_FIRST}'", limit=""))
            return
        statement, last = sa.text(_PAGE.format(after=":after", limit="LIMIT 20000")), _FIRST
        while last is not None:
            last = op.get_bind().execute(statement, {"after": last}).scalar()


def downgrade() -> None:
    pass  # The table goes with its own revision.
