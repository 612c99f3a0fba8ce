"""fill no file is another name

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0047
Revises: 0046
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import every_row

revision: str = "0047"
down_revision: str | Sequence[str] | None = "0046"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # What a phone called another child, before a file was opened under just that id.
    with op.get_context().autocommit_block(), every_row("child_aliases", "children"):
        op.execute("DELETE FROM child_aliases a USING children c WHERE c.id = a.alias")


def downgrade() -> None:
    pass  # The file keeps its id.
