"""reports that wait until they can be recorded

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0130
Revises: 0127
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0130"
down_revision: str | Sequence[str] | None = "0127"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "spooled_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("content_index", sa.LargeBinary(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spooled_reports")),
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON spooled_reports FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT ON spooled_reports TO tonghu_app")
    op.execute("ALTER TABLE spooled_reports ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE spooled_reports FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON spooled_reports")
    op.execute(
        "CREATE POLICY remit ON spooled_reports USING (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system') WITH CHECK (true)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON spooled_reports")
    op.drop_table("spooled_reports", if_exists=True)
