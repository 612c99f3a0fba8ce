"""staff near children are checked

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0205
Revises: 0204
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0205"
down_revision: str | Sequence[str] | None = "0204"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "hiring_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("office_id", sa.Uuid(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(result = 'asked') = (answered_on IS NULL)", name=op.f("ck_hiring_checks_answered")
        ),
        sa.CheckConstraint(
            "result IN ('asked', 'clear', 'not_clear', 'no_answer')",
            name=op.f("ck_hiring_checks_result"),
        ),
        sa.CheckConstraint("answered_on >= asked_on", name=op.f("ck_hiring_checks_in_order")),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_hiring_checks_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["staff.id"], name=op.f("fk_hiring_checks_asked_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["office_id"], ["agencies.id"], name=op.f("fk_hiring_checks_office_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["staff.id"], name=op.f("fk_hiring_checks_recorded_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_hiring_checks_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hiring_checks")),
    )
    op.create_index(
        "ix_hiring_checks_agency_id_id", "hiring_checks", ["agency_id", "id"], unique=False
    )
    op.create_index(
        "ix_hiring_checks_region_code_id", "hiring_checks", ["region_code", "id"], unique=False
    )
    op.create_index("ix_hiring_checks_result_id", "hiring_checks", ["result", "id"], unique=False)
    op.create_index(
        "ix_hiring_checks_staff_id", "hiring_checks", ["staff_id", "asked_on", "id"], unique=False
    )
    op.execute("REVOKE ALL ON hiring_checks FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON hiring_checks TO tonghu_app")
    op.execute("ALTER TABLE hiring_checks ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE hiring_checks FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON hiring_checks USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON hiring_checks")
    op.drop_index("ix_hiring_checks_staff_id", table_name="hiring_checks")
    op.drop_index("ix_hiring_checks_result_id", table_name="hiring_checks")
    op.drop_index("ix_hiring_checks_region_code_id", table_name="hiring_checks")
    op.drop_index("ix_hiring_checks_agency_id_id", table_name="hiring_checks")
    op.drop_table("hiring_checks")
