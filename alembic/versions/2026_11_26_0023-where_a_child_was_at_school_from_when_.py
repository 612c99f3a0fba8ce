"""where a child was at school from when to when

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0023
Revises: 0022
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0023"
down_revision: str | Sequence[str] | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "child_enrolments",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("class_name", sa.String(), nullable=True),
        sa.Column("class_key", sa.String(), nullable=True),
        sa.Column("boarding", sa.Boolean(), nullable=True),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("stated_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "until IS NULL OR until > since", name=op.f("ck_child_enrolments_until")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["agencies.id"], name=op.f("fk_child_enrolments_school_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_child_enrolments")),
    )
    op.create_index(
        "ix_child_enrolments_child_id_since",
        "child_enrolments",
        ["child_id", "since"],
        unique=False,
    )
    op.create_index(
        "ix_child_enrolments_school_id_class_key",
        "child_enrolments",
        ["school_id", "class_key", "since"],
        unique=False,
    )
    op.create_index(
        "uq_child_enrolments_open",
        "child_enrolments",
        ["child_id", "home_county"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.execute("REVOKE ALL ON child_enrolments FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON child_enrolments TO tonghu_app")
    op.execute("ALTER TABLE child_enrolments ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_enrolments FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON child_enrolments USING (CASE WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON child_enrolments")
    op.drop_index(
        "uq_child_enrolments_open",
        table_name="child_enrolments",
        postgresql_where=sa.text("until IS NULL"),
    )
    op.drop_index("ix_child_enrolments_school_id_class_key", table_name="child_enrolments")
    op.drop_index("ix_child_enrolments_child_id_since", table_name="child_enrolments")
    op.drop_table("child_enrolments")
