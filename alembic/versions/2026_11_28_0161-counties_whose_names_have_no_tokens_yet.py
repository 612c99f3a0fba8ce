"""counties whose names have no tokens yet

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0161
Revises: 0160
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0161"
down_revision: str | Sequence[str] | None = "0160"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Tokens need a key, which no revision has: a job makes them. Of every county, whether children
    # are known to live there or not: the release before may yet write the first.
    op.execute(
        "INSERT INTO names_unfilled (county_code)"
        " SELECT DISTINCT code / 1000000 * 1000000 FROM regions ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    pass  # The rows go with their table.
