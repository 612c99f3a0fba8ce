"""a child said to be present and seen elsewhere

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0028
Revises: 0027
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0028"
down_revision: str | Sequence[str] | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "presence_doubts",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("school_day", sa.Date(), nullable=False),
        sa.Column("seen_by_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finding", sa.String(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("found_by", sa.String(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "finding IN ('here', 'elsewhere')", name=op.f("ck_presence_doubts_finding")
        ),
        sa.CheckConstraint(
            "(finding IS NULL) = (found_at IS NULL)", name=op.f("ck_presence_doubts_found")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["agencies.id"], name=op.f("fk_presence_doubts_school_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["seen_by_id"], ["agencies.id"], name=op.f("fk_presence_doubts_seen_by_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_presence_doubts")),
    )
    op.create_index(
        "ix_presence_doubts_pupil_of_id", "presence_doubts", ["pupil_of", "id"], unique=False
    )
    op.create_index(
        "ix_presence_doubts_school_id_id", "presence_doubts", ["school_id", "id"], unique=False
    )
    op.create_index(
        "uq_presence_doubts_said",
        "presence_doubts",
        ["child_id", "school_id", "school_day", "home_county"],
        unique=True,
    )
    op.execute("REVOKE ALL ON presence_doubts FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON presence_doubts TO tonghu_app")
    op.execute("ALTER TABLE presence_doubts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE presence_doubts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON presence_doubts USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON presence_doubts")
    op.drop_index("uq_presence_doubts_said", table_name="presence_doubts")
    op.drop_index("ix_presence_doubts_school_id_id", table_name="presence_doubts")
    op.drop_index("ix_presence_doubts_pupil_of_id", table_name="presence_doubts")
    op.drop_table("presence_doubts")
