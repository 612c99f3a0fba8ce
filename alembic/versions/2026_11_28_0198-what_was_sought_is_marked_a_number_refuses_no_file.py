"""what was sought is marked in the record; a number is no reason to refuse a file

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0198
Revises: 0197
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0198"
down_revision: str | Sequence[str] | None = "0197"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


INDEXES = {
    "ix_duplicate_referrals_numbered": "child_id, other_child_id",
    "ix_duplicate_referrals_tried": "submitted_by, created_at",
}


def upgrade() -> None:
    op.add_column(
        "audit_entries",
        sa.Column("sought", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    with op.get_context().autocommit_block():
        _key("index, child_id")
        for name, columns in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON duplicate_referrals ({columns})"
                " WHERE reason = 'resident_id'"
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        _key("index")
    op.drop_column("audit_entries", "sought")


def _key(columns: str) -> None:
    """Give the numbers another key: built beside the old one, which it replaces at one instant."""
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS new_pk_resident_ids")
    op.execute(
        f"CREATE UNIQUE INDEX CONCURRENTLY new_pk_resident_ids ON resident_ids ({columns})"
    )
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        "ALTER TABLE resident_ids DROP CONSTRAINT pk_resident_ids,"
        " ADD CONSTRAINT pk_resident_ids PRIMARY KEY USING INDEX new_pk_resident_ids"
    )
