"""keys are known by a check of each

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0209
Revises: 0208
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0209"
down_revision: str | Sequence[str] | None = "0208"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "key_checks",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("shown", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('data', 'index', 'signing', 'spool')", name=op.f("ck_key_checks_kind")
        ),
        sa.PrimaryKeyConstraint("kind", "kid", name=op.f("pk_key_checks")),
    )
    op.execute("REVOKE ALL ON key_checks FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON key_checks TO tonghu_app")


def downgrade() -> None:
    op.drop_table("key_checks")
