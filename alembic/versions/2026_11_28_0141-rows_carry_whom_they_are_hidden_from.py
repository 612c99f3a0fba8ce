"""rows carry whom they are hidden from

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0141
Revises: 0140
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0141"
down_revision: str | Sequence[str] | None = "0140"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("duties", sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.add_column("duties", sa.Column("hidden_below", sa.BigInteger(), nullable=True))
    op.add_column("duties", sa.Column("police_below", sa.BigInteger(), nullable=True))
    op.add_column("duties", sa.Column("filed_by_id", sa.Uuid(), nullable=True))
    op.add_column(
        "presence_doubts", sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=True)
    )
    op.add_column("presence_doubts", sa.Column("hidden_below", sa.BigInteger(), nullable=True))
    op.add_column("presence_doubts", sa.Column("police_below", sa.BigInteger(), nullable=True))
    op.add_column("presence_doubts", sa.Column("filed_by_id", sa.Uuid(), nullable=True))
    op.add_column("referrals", sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.add_column("referrals", sa.Column("hidden_below", sa.BigInteger(), nullable=True))
    op.add_column("referrals", sa.Column("police_below", sa.BigInteger(), nullable=True))
    op.add_column("referrals", sa.Column("filed_by_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("referrals", "filed_by_id")
    op.drop_column("referrals", "police_below")
    op.drop_column("referrals", "hidden_below")
    op.drop_column("referrals", "hidden_from")
    op.drop_column("presence_doubts", "filed_by_id")
    op.drop_column("presence_doubts", "police_below")
    op.drop_column("presence_doubts", "hidden_below")
    op.drop_column("presence_doubts", "hidden_from")
    op.drop_column("duties", "filed_by_id")
    op.drop_column("duties", "police_below")
    op.drop_column("duties", "hidden_below")
    op.drop_column("duties", "hidden_from")
