"""names are sealed

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
        "names_in_plain",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_names_in_plain")),
        if_not_exists=True,
    )
    op.add_column(
        "children", sa.Column("name_index", sa.LargeBinary(), nullable=True), if_not_exists=True
    )
    op.execute("REVOKE ALL ON names_in_plain FROM tonghu_app")
    op.execute("GRANT DELETE, SELECT ON names_in_plain TO tonghu_app")
    # Where a release before this one has run, it may run on for a while.
    with every_row("agencies"):
        op.execute(
            "INSERT INTO names_in_plain (one) SELECT true WHERE EXISTS (SELECT FROM agencies)"
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


_SEALED = "SELECT EXISTS (SELECT FROM children WHERE name = '' AND name_index IS NOT NULL)"


def downgrade() -> None:
    with every_row("children"):
        if op.get_bind().execute(sa.text(_SEALED)).scalar():
            raise CommandError("Names lie sealed only: what is before 0217 cannot read them.")
    op.drop_column("children", "name_index", if_exists=True)
    op.drop_table("names_in_plain", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_children_name_index",
            table_name="children",
            postgresql_concurrently=True,
            if_exists=True,
        )
