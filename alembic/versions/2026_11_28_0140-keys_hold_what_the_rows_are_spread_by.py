"""keys hold what the rows are spread by

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

That an id is one child's in the whole nation is held by this release's code from here on. While the
release before runs beside it, one id sent for children of two counties at once could open two
files: let it open none meanwhile, or look afterwards for ids that `children` has twice.

Revision: 0140
Revises: 0131
"""

from collections.abc import Sequence

from alembic import op
from reach import every_row

revision: str = "0140"
down_revision: str | Sequence[str] | None = "0131"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEYS = {
    "attendance_batches": "agency_id",
    "attendance_rolls": "agency_id",
    "duties": "home_county",
}


def upgrade() -> None:
    op.drop_constraint("child", "resident_ids", type_="foreignkey", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        for table, column in KEYS.items():
            _key(table, f"id, {column}")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_id")
        op.create_index(
            "ix_children_id", "children", ["id"], unique=False, postgresql_concurrently=True
        )
        op.drop_index(
            "uq_children_id", table_name="children", postgresql_concurrently=True, if_exists=True
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        for table in KEYS:
            _key(table, "id")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_children_id")
        op.create_index(
            "uq_children_id", "children", ["id"], unique=True, postgresql_concurrently=True
        )
        op.drop_index(
            "ix_children_id", table_name="children", postgresql_concurrently=True, if_exists=True
        )
        op.execute("ALTER TABLE resident_ids DROP CONSTRAINT IF EXISTS child")
        op.create_foreign_key(
            "child",
            "resident_ids",
            "children",
            ["home_county", "child_id"],
            ["home_county", "id"],
            postgresql_not_valid=True,
        )
        with every_row("resident_ids", "children"):
            op.execute("ALTER TABLE resident_ids VALIDATE CONSTRAINT child")


def _key(table: str, columns: str) -> None:
    """Give a table another key: built beside the old one, which it replaces at one instant."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS new_pk_{table}")
    op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY new_pk_{table} ON {table} ({columns})")
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"ALTER TABLE {table} DROP CONSTRAINT pk_{table},"
        f" ADD CONSTRAINT pk_{table} PRIMARY KEY USING INDEX new_pk_{table}"
    )
