"""each child and each report has a key of its own

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0212
Revises: 0210
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0212"
down_revision: str | Sequence[str] | None = "0210"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "child_keys",
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("child_id", "home_county", name=op.f("pk_child_keys")),
    )
    op.create_table(
        "report_keys",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("reporter_wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "report_id"],
            ["police_reports.home_county", "police_reports.id"],
            name="report",
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_report_keys")),
    )
    op.execute("REVOKE ALL ON child_keys FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON child_keys TO tonghu_app")
    op.execute("REVOKE ALL ON report_keys FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON report_keys TO tonghu_app")


def downgrade() -> None:
    op.drop_table("report_keys")
    op.drop_table("child_keys")
