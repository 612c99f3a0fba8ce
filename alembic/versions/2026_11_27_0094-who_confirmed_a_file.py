"""who confirmed a file

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0094
Revises: 0093
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0094"
down_revision: str | Sequence[str] | None = "0093"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "confirmations",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("as_role", sa.String(), nullable=True),
        sa.Column("content_mac", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_in", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=False),
        sa.Column("stated_on", sa.Date(), nullable=True),
        sa.Column("changed", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_confirmations_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_confirmations")),
    )
    op.create_index(
        "ix_confirmations_child_id_confirmed_on",
        "confirmations",
        ["child_id", "confirmed_on", "id"],
        unique=False,
    )
    op.create_index(
        "ix_confirmations_region_code_confirmed_on",
        "confirmations",
        ["region_code", "confirmed_on", "id"],
        unique=False,
    )
    op.execute("REVOKE ALL ON confirmations FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON confirmations TO tonghu_app"
    )
    op.execute("ALTER TABLE confirmations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE confirmations FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON confirmations USING (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON confirmations")
    op.drop_index("ix_confirmations_region_code_confirmed_on", table_name="confirmations")
    op.drop_index("ix_confirmations_child_id_confirmed_on", table_name="confirmations")
    op.drop_table("confirmations")
