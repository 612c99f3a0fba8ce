"""long lists are divided by samples

Of children, visits and duties: of sixteen rows one, of 256, of 4096, by region.

Revision: 0186
Revises: 0185
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0186"
down_revision: str | Sequence[str] | None = "0185"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OF = [(table, each) for table in ("children", "visits", "duties") for each in (4096, 256, 16)]


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table, each in _OF:
            name = f"ix_{table}_one_of_{each}"
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {table} (region_code)"
                f" WHERE uuid_hash(id) & {each - 1} = 0"
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for table, each in _OF:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS ix_{table}_one_of_{each}")
