"""names are found by tokens

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0160
Revises: 0131
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0160"
down_revision = "0143"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "names_unfilled",
        sa.Column("county_code", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("reached_code", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "reached_id",
            sa.Uuid(),
            server_default=sa.text("'00000000-0000-0000-0000-000000000000'"),
            nullable=False,
        ),
        sa.Column("files", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("county_code", name=op.f("pk_names_unfilled")),
    )
    op.create_table(
        "child_names",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint(
            "token", "region_code", "child_id", "home_county", name=op.f("pk_child_names")
        ),
    )
    op.create_index("ix_child_names_child_id", "child_names", ["child_id"], unique=False)
    op.execute("REVOKE ALL ON child_names FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (pupil_of, region_code) ON child_names TO tonghu_app"
    )
    op.execute("ALTER TABLE child_names ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_names FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_names USING (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON names_unfilled FROM tonghu_app")
    op.execute("GRANT DELETE, SELECT, UPDATE ON names_unfilled TO tonghu_app")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON child_names")
    op.drop_index("ix_child_names_child_id", table_name="child_names")
    op.drop_table("child_names")
    op.drop_table("names_unfilled")
