"""names, what visits found and what reports say happened are sealed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0217
Revises: 0213
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic.util import CommandError
from reach import every_row

from alembic import op


revision: str = "0217"
down_revision: str | Sequence[str] | None = "0213"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "former_release",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_former_release")),
        if_not_exists=True,
    )
    op.add_column(
        "children", sa.Column("name_index", sa.LargeBinary(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "police_reports",
        sa.Column("situations_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.alter_column("police_reports", "situations", server_default="{}")
    op.execute("REVOKE ALL ON former_release FROM tonghu_app")
    op.execute("GRANT DELETE, SELECT ON former_release TO tonghu_app")
    # Where a release before this one has run, it may run on for a while.
    with every_row("agencies"):
        op.execute(
            "INSERT INTO former_release (one) SELECT true WHERE EXISTS (SELECT FROM agencies)"
            " ON CONFLICT DO NOTHING"
        )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_children_name_index")
        op.create_index(
            "ix_children_name_index",
            "children",
            ["name_index"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_visits_findings")
        op.create_index(
            "ix_visits_findings",
            "visits",
            ["home_county", "id"],
            unique=False,
            postgresql_where=sa.text("findings <> '[]'"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_situations")
        op.create_index(
            "ix_police_reports_situations",
            "police_reports",
            ["id"],
            unique=False,
            postgresql_where=sa.text("situations <> '{}'"),
            postgresql_concurrently=True,
        )


_SEALED = """
SELECT EXISTS (SELECT FROM children WHERE name = '' AND name_index IS NOT NULL)
    OR EXISTS (SELECT FROM police_reports WHERE situations = '{}' AND situations_sealed IS NOT NULL)
"""


def downgrade() -> None:
    with every_row("children", "police_reports"):
        if op.get_bind().execute(sa.text(_SEALED)).scalar():
            raise CommandError("What is sealed only could not be read before 0217: restore a backup.")
    op.drop_index("ix_police_reports_situations", table_name="police_reports", if_exists=True)
    op.drop_index("ix_visits_findings", table_name="visits", if_exists=True)
    op.drop_index("ix_children_name_index", table_name="children", if_exists=True)
    op.alter_column("police_reports", "situations", server_default=None)
    op.drop_column("police_reports", "situations_sealed", if_exists=True)
    op.drop_column("children", "name_index", if_exists=True)
    op.drop_table("former_release", if_exists=True)
