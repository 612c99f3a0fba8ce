"""who else saw a child

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0041
Revises: 0040
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0041"
down_revision: str | Sequence[str] | None = "0040"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "presence_sightings",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("seen_by_id", sa.Uuid(), nullable=False),
        sa.Column("kept_from_id", sa.Uuid(), nullable=True),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["seen_by_id"], ["agencies.id"], name=op.f("fk_presence_sightings_seen_by_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_presence_sightings")),
    )
    op.create_index(
        "uq_presence_sightings_source",
        "presence_sightings",
        ["child_id", "source_id", "home_county"],
        unique=True,
    )
    op.execute("REVOKE ALL ON presence_sightings FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON presence_sightings TO tonghu_app"
    )
    op.execute("ALTER TABLE presence_sightings ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE presence_sightings FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON presence_sightings USING (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON presence_sightings")
    op.drop_index("uq_presence_sightings_source", table_name="presence_sightings")
    op.drop_table("presence_sightings")
