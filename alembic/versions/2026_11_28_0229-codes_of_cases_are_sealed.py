"""codes of cases are sealed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0229
Revises: 0228
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic.util import CommandError
from reach import every_row

from alembic import op


revision: str = "0229"
down_revision: str | Sequence[str] | None = "0228"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW = (
    ("events", "codes_sealed"),
    ("police_reports", "disposed_sealed"),
    ("police_reports", "incomplete_sealed"),
    ("police_report_steps", "codes_sealed"),
    ("referrals", "needs_sealed"),
    ("referrals", "found_sealed"),
)


def upgrade() -> None:
    for table, column in NEW:
        op.add_column(
            table, sa.Column(column, sa.LargeBinary(), nullable=True), if_not_exists=True
        )
    # The release before this one does not know them, and may run on for a while.
    with every_row("agencies"):
        op.execute(
            "INSERT INTO former_release (one) SELECT true WHERE EXISTS (SELECT FROM agencies)"
            " ON CONFLICT (one) DO UPDATE SET since = excluded.since"
        )


def downgrade() -> None:
    with every_row(*sorted({table for table, _ in NEW})):
        for table, column in NEW:
            sealed = f"SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL)"
            if op.get_bind().execute(sa.text(sealed)).scalar():
                raise CommandError(
                    "What is sealed only could not be read before 0229: restore a backup."
                )
    for table, column in NEW:
        op.drop_column(table, column, if_exists=True)
