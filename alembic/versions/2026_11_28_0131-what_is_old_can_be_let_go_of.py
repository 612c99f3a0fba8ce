"""what is old can be let go of

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0131
Revises: 0130
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0131"
down_revision: str | Sequence[str] | None = "0130"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("REVOKE ALL ON attendance_contradictions FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON attendance_contradictions TO tonghu_app")
    op.execute("REVOKE ALL ON event_named FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON event_named TO tonghu_app")
    op.execute("REVOKE ALL ON events FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (place, position, sequence) ON events TO tonghu_app"
    )
    op.execute("REVOKE ALL ON webhook_attempts FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON webhook_attempts TO tonghu_app")
    op.execute("REVOKE ALL ON webhook_deliveries FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON webhook_deliveries TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_event_named_position")
        op.create_index(
            "ix_event_named_position",
            "event_named",
            ["position"],
            unique=False,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("REVOKE ALL ON attendance_contradictions FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON attendance_contradictions TO tonghu_app")
    op.execute("REVOKE ALL ON event_named FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON event_named TO tonghu_app")
    op.execute("REVOKE ALL ON events FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE (place, position, sequence) ON events TO tonghu_app")
    op.execute("REVOKE ALL ON webhook_attempts FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON webhook_attempts TO tonghu_app")
    op.execute("REVOKE ALL ON webhook_deliveries FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON webhook_deliveries TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_event_named_position",
            table_name="event_named",
            postgresql_concurrently=True,
            if_exists=True,
        )
