"""a backup says when it was made

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0237
Revises: 0235
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0237"
down_revision: str | Sequence[str] | None = "0235"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "backups_made",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('base', 'archive')", name=op.f("ck_backups_made_kind")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_backups_made")),
    )
    op.execute("REVOKE ALL ON backups_made FROM tonghu_app")
    op.execute("GRANT SELECT ON backups_made TO tonghu_app")


def downgrade() -> None:
    op.drop_table("backups_made")
