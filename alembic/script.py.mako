"""${message}

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
