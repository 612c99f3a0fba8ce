"""each part says when it is sealed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0232
Revises: 0229
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0232"
down_revision: str | Sequence[str] | None = "0229"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Nobody knows the table but 0217, and it has a row at most.
    op.execute("CREATE TEMPORARY TABLE of_before ON COMMIT DROP AS SELECT since FROM former_release")
    op.drop_table("former_release")
    op.create_table(
        "former_release",
        sa.Column("part", sa.String(), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "part IN ('names', 'findings', 'situations')", name=op.f("ck_former_release_part")
        ),
        sa.PrimaryKeyConstraint("part", name=op.f("pk_former_release")),
    )
    op.execute("REVOKE ALL ON former_release FROM tonghu_app")
    op.execute("GRANT DELETE, SELECT ON former_release TO tonghu_app")
    op.execute(
        "INSERT INTO former_release (part, since) SELECT part, since FROM of_before"
        " CROSS JOIN unnest(ARRAY['names', 'findings', 'situations']) AS part"
    )


def downgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE of_before ON COMMIT DROP AS"
        " SELECT max(since) AS since FROM former_release")
    op.drop_table("former_release")
    op.create_table(
        "former_release",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_former_release")),
    )
    op.execute("REVOKE ALL ON former_release FROM tonghu_app")
    op.execute("GRANT DELETE, SELECT ON former_release TO tonghu_app")
    op.execute("INSERT INTO former_release (since) SELECT since FROM of_before WHERE since > '-infinity'")
