"""where a child lived before it moved

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0018
Revises: 0017
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0018"
down_revision: str | Sequence[str] | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "child_stays",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lived_in", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.Uuid(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_child_stays")),
    )
    op.create_index(
        "ix_child_stays_child_id_until", "child_stays", ["child_id", "until"], unique=False
    )
    op.execute("REVOKE ALL ON child_stays FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON child_stays TO tonghu_app")
    op.execute("ALTER TABLE child_stays ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_stays FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_stays USING (CASE WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL OR pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) ELSE false END) WITH CHECK (CASE WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL OR pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON child_stays")
    op.drop_index("ix_child_stays_child_id_until", table_name="child_stays")
    op.drop_table("child_stays")
