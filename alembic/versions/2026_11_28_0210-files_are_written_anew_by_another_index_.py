"""files are written anew by another index key

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0210
Revises: 0209
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0210"
down_revision: str | Sequence[str] | None = "0209"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "reindexed",
        sa.Column("home_county", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column(
            "reached_id",
            sa.Uuid(),
            server_default=sa.text("'00000000-0000-0000-0000-000000000000'"),
            nullable=False,
        ),
        sa.Column("files", sa.Integer(), server_default="0", nullable=False),
        sa.Column("whole", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("home_county", name=op.f("pk_reindexed")),
    )
    op.execute("REVOKE ALL ON reindexed FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON reindexed TO tonghu_app")


def downgrade() -> None:
    op.drop_table("reindexed")
