"""an emergency opens one file, a desk elsewhere asks, and much reading is seen

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0199
Revises: 0198
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0199"
down_revision: str | Sequence[str] | None = "0198"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON children")
    op.create_table(
        "reading_tallies",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "subject", "agency_id", "day", "purpose", "kind", name=op.f("pk_reading_tallies")
        ),
    )
    op.create_index(
        "ix_reading_tallies_agency_id_alarmed_at",
        "reading_tallies",
        ["agency_id", "alarmed_at", "id"],
        unique=False,
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_reading_tallies_alarmed_at_id",
        "reading_tallies",
        ["alarmed_at", "id"],
        unique=False,
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_reading_tallies_region_code_alarmed_at",
        "reading_tallies",
        ["region_code", "alarmed_at", "id"],
        unique=False,
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.create_index("ix_reading_tallies_since_id", "reading_tallies", ["since", "id"], unique=False)
    op.create_index("uq_reading_tallies_id", "reading_tallies", ["id"], unique=True)
    op.create_table(
        "looks_elsewhere",
        sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("hidden_below", sa.BigInteger(), nullable=True),
        sa.Column("police_below", sa.BigInteger(), nullable=True),
        sa.Column("filed_by_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("look_id", sa.Uuid(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_by", sa.String(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("agency_kind", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("looked_from", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("sought_by", sa.String(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "service IN ('emergency', 'inpatient', 'outpatient', 'shelter', 'police_desk', 'sexual_health', 'mental_health', 'counselling', 'addiction')",
            name=op.f("ck_looks_elsewhere_service"),
        ),
        sa.CheckConstraint(
            "sought_by IN ('number', 'name')", name=op.f("ck_looks_elsewhere_sought_by")
        ),
        sa.CheckConstraint(
            "why IN ('injured', 'ill', 'found_alone', 'taken_in', 'suspected_harm', 'missing', 'other')",
            name=op.f("ck_looks_elsewhere_why"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_looks_elsewhere_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_looks_elsewhere")),
    )
    op.create_index(
        "ix_looks_elsewhere_agency_id_looked_at",
        "looks_elsewhere",
        ["agency_id", "looked_at", "id"],
        unique=False,
    )
    op.create_index("ix_looks_elsewhere_look_id", "looks_elsewhere", ["look_id"], unique=False)
    op.create_index(
        "ix_looks_elsewhere_child_id_looked_at",
        "looks_elsewhere",
        ["child_id", "looked_at", "id"],
        unique=False,
        postgresql_where=sa.text("child_id IS NOT NULL"),
    )
    op.create_index(
        "ix_looks_elsewhere_region_code_looked_at",
        "looks_elsewhere",
        ["region_code", "looked_at", "id"],
        unique=False,
        postgresql_where=sa.text("child_id IS NOT NULL"),
    )
    op.create_index(
        "ix_looks_elsewhere_looked_at_id",
        "looks_elsewhere",
        ["looked_at", "id"],
        unique=False,
        postgresql_where=sa.text("child_id IS NOT NULL"),
    )
    op.create_table(
        "break_glass",
        sa.Column("hidden_from", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("hidden_below", sa.BigInteger(), nullable=True),
        sa.Column("police_below", sa.BigInteger(), nullable=True),
        sa.Column("filed_by_id", sa.Uuid(), nullable=True),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("asked_from", sa.BigInteger(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("field_groups", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewer_id", sa.Uuid(), nullable=True),
        sa.Column(
            "waits", sa.Boolean(), sa.Computed("verdict IS NULL", persisted=True), nullable=False
        ),
        sa.Column("stored_alone", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("verdict IN ('proper', 'misuse')", name=op.f("ck_break_glass_verdict")),
        sa.CheckConstraint(
            "(verdict IS NULL) = (reviewed_at IS NULL)", name=op.f("ck_break_glass_reviewed")
        ),
        sa.CheckConstraint("ends_at >= opened_at", name=op.f("ck_break_glass_ends")),
        sa.CheckConstraint(
            "reviewer_id IS DISTINCT FROM staff_id", name=op.f("ck_break_glass_by_another")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_break_glass_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["staff.id"], name=op.f("fk_break_glass_reviewer_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_break_glass_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_break_glass")),
    )
    op.create_index(
        "ix_break_glass_agency_id_waits",
        "break_glass",
        ["agency_id", "waits", "opened_at", "id"],
        unique=False,
    )
    op.create_index("ix_break_glass_child_id", "break_glass", ["child_id"], unique=False)
    op.create_index(
        "ix_break_glass_region_code_waits",
        "break_glass",
        ["region_code", "waits", "opened_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_break_glass_staff_id_opened_at", "break_glass", ["staff_id", "opened_at"], unique=False
    )
    op.create_index(
        "ix_break_glass_waits", "break_glass", ["waits", "opened_at", "id"], unique=False
    )
    op.add_column("agencies", sa.Column("public_contact", sa.String(), nullable=True))
    op.execute("REVOKE ALL ON break_glass FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON break_glass TO tonghu_app")
    op.execute("ALTER TABLE break_glass ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE break_glass FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON break_glass USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN coalesce((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) OR coalesce(hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid), false) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN coalesce((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) OR coalesce(hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid), false) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute(
        "CREATE POLICY remit ON children USING (CASE WHEN id = NULLIF(current_setting('tonghu.opened', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (school_id = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (school_id = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON looks_elsewhere FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON looks_elsewhere TO tonghu_app")
    op.execute("ALTER TABLE looks_elsewhere ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE looks_elsewhere FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON looks_elsewhere USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN coalesce((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (hidden_from) OR coalesce(hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid), false) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (child_id IS NOT NULL) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    op.execute("REVOKE ALL ON reading_tallies FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON reading_tallies TO tonghu_app")
    op.execute("ALTER TABLE reading_tallies ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE reading_tallies FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON reading_tallies USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON break_glass")
    op.execute("DROP POLICY IF EXISTS remit ON children")
    op.execute("DROP POLICY IF EXISTS remit ON looks_elsewhere")
    op.execute("DROP POLICY IF EXISTS remit ON reading_tallies")
    op.drop_column("agencies", "public_contact")
    op.drop_index("ix_break_glass_waits", table_name="break_glass")
    op.drop_index("ix_break_glass_staff_id_opened_at", table_name="break_glass")
    op.drop_index("ix_break_glass_region_code_waits", table_name="break_glass")
    op.drop_index("ix_break_glass_child_id", table_name="break_glass")
    op.drop_index("ix_break_glass_agency_id_waits", table_name="break_glass")
    op.drop_table("break_glass")
    op.drop_index(
        "ix_looks_elsewhere_region_code_looked_at",
        table_name="looks_elsewhere",
        postgresql_where=sa.text("child_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_looks_elsewhere_looked_at_id",
        table_name="looks_elsewhere",
        postgresql_where=sa.text("child_id IS NOT NULL"),
    )
    op.drop_index("ix_looks_elsewhere_child_id_looked_at", table_name="looks_elsewhere")
    op.drop_index("ix_looks_elsewhere_look_id", table_name="looks_elsewhere")
    op.drop_index("ix_looks_elsewhere_agency_id_looked_at", table_name="looks_elsewhere")
    op.drop_table("looks_elsewhere")
    op.drop_index("uq_reading_tallies_id", table_name="reading_tallies")
    op.drop_index("ix_reading_tallies_since_id", table_name="reading_tallies")
    op.drop_index(
        "ix_reading_tallies_region_code_alarmed_at",
        table_name="reading_tallies",
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_reading_tallies_alarmed_at_id",
        table_name="reading_tallies",
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_reading_tallies_agency_id_alarmed_at",
        table_name="reading_tallies",
        postgresql_where=sa.text("alarmed_at IS NOT NULL"),
    )
    op.drop_table("reading_tallies")
    op.execute(
        "CREATE POLICY remit ON children USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN school_id = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN school_id = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
