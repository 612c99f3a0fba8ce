"""a sealed column for every section of a file

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0014
Revises: 0013
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("children", sa.Column("hukou_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("children", sa.Column("welfare_sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("children", "welfare_sealed")
    op.drop_column("children", "hukou_sealed")
