"""each county knows what comes next

What falls due, and what is to be told higher up, is found county by county. The release before
reads what is overdue by its state meanwhile.

Revision: 0185
Revises: 0183
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0185"
down_revision: str | Sequence[str] | None = "0183"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _index("ix_duties_due_in_county", "home_county, due_at, id", "state = 'open'")
        _index("ix_duties_escalates_in_county", "home_county, escalates_at, id", _TOLD)
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_escalates_at")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _index("ix_duties_escalates_at", "escalates_at, id", _TOLD)
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_escalates_in_county")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_due_in_county")


_TOLD = "state = 'overdue' AND escalates_at IS NOT NULL"


def _index(name: str, columns: str, where: str) -> None:
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"CREATE INDEX CONCURRENTLY {name} ON duties ({columns}) WHERE {where}")
