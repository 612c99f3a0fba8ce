"""what a guardian is told and asks

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0201
Revises: 0199
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0201"
down_revision: str | Sequence[str] | None = "0199"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("giver_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.String(), nullable=True),
        sa.Column("withdrawer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("withdrawn_form", sa.String(), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("withdrawal_recorded_by", sa.String(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "form IN ('in_writing', 'spoken', 'app', 'posted')", name=op.f("ck_consents_form")
        ),
        sa.CheckConstraint("given_by IN ('child', 'guardian')", name=op.f("ck_consents_given_by")),
        sa.CheckConstraint(
            "withdrawn_by IN ('child', 'guardian')", name=op.f("ck_consents_withdrawn_by")
        ),
        sa.CheckConstraint(
            "withdrawn_form IN ('in_writing', 'spoken', 'app', 'posted')",
            name=op.f("ck_consents_withdrawn_form"),
        ),
        sa.CheckConstraint(
            "(withdrawn_on IS NULL) = (withdrawn_at IS NULL)", name=op.f("ck_consents_withdrawn")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_consents_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_consents")),
    )
    op.create_index(
        "ix_consents_child_id_given_on", "consents", ["child_id", "given_on", "id"], unique=False
    )
    op.create_index(
        "uq_consents_standing",
        "consents",
        ["child_id", "collection", "home_county"],
        unique=True,
        postgresql_where=sa.text("withdrawn_on IS NULL"),
    )
    op.create_table(
        "notices",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("told_to", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "form IN ('in_writing', 'spoken', 'app', 'posted')", name=op.f("ck_notices_form")
        ),
        sa.CheckConstraint("told_to IN ('child', 'guardian')", name=op.f("ck_notices_told_to")),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_notices_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_notices")),
    )
    op.create_index(
        "ix_notices_child_id_told_on", "notices", ["child_id", "told_on", "id"], unique=False
    )
    op.create_table(
        "rights_requests",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("identity_check", sa.String(), nullable=False),
        sa.Column("asked_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("copy_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("copied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("copied_by", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("held_by_id", sa.Uuid(), nullable=True),
        sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restricted_from", sa.BigInteger(), nullable=True),
        sa.Column("restricted_school", sa.Uuid(), nullable=True),
        sa.Column("restriction_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restriction_ended_by", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'answered') = (answered_at IS NOT NULL)",
            name=op.f("ck_rights_requests_answered"),
        ),
        sa.CheckConstraint(
            "asked_by IN ('child', 'guardian', 'office')", name=op.f("ck_rights_requests_asked_by")
        ),
        sa.CheckConstraint(
            "identity_check IN ('resident_id_card', 'household_register', 'guardianship_paper', 'known_in_person', 'not_checked')",
            name=op.f("ck_rights_requests_identity_check"),
        ),
        sa.CheckConstraint(
            "kind IN ('access', 'portability', 'correction', 'supplement', 'erasure', 'explanation', 'withdrawal')",
            name=op.f("ck_rights_requests_kind"),
        ),
        sa.CheckConstraint(
            "outcome IN ('granted', 'partly', 'refused')", name=op.f("ck_rights_requests_outcome")
        ),
        sa.CheckConstraint(
            "reason IN ('not_entitled', 'not_held', 'found_right', 'needed_by_law', 'kept_by_law', 'of_somebody_else')",
            name=op.f("ck_rights_requests_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'answered', 'taken_back')", name=op.f("ck_rights_requests_state")
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (answered_at IS NULL)",
            name=op.f("ck_rights_requests_outcome_said"),
        ),
        sa.CheckConstraint(
            "(restricted_at IS NULL) = (restricted_from IS NULL)",
            name=op.f("ck_rights_requests_restricted"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_rights_requests_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["held_by_id"], ["agencies.id"], name=op.f("fk_rights_requests_held_by_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_rights_requests")),
    )
    op.create_index(
        "ix_rights_requests_child_id_opened_at",
        "rights_requests",
        ["child_id", "opened_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_rights_requests_held_by_id_opened_at",
        "rights_requests",
        ["held_by_id", "opened_at", "id"],
        unique=False,
    )
    for column in ("kind", "state"):
        op.create_index(
            f"ix_rights_requests_{column}",
            "rights_requests",
            [column, "opened_at", "id"],
            unique=False,
        )
    op.create_index(
        "ix_rights_requests_restricted",
        "rights_requests",
        ["opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("restricted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_rights_requests_opened_at_id", "rights_requests", ["opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_rights_requests_region_code_opened_at",
        "rights_requests",
        ["region_code", "opened_at", "id"],
        unique=False,
    )
    op.execute("REVOKE ALL ON consents FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON consents TO tonghu_app")
    op.execute("ALTER TABLE consents ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE consents FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON consents USING (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON notices FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON notices TO tonghu_app")
    op.execute("ALTER TABLE notices ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE notices FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON notices USING (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON rights_requests FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON rights_requests TO tonghu_app")
    op.execute("ALTER TABLE rights_requests ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE rights_requests FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON rights_requests USING (CASE WHEN held_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN held_by_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON consents")
    op.execute("DROP POLICY IF EXISTS remit ON notices")
    op.execute("DROP POLICY IF EXISTS remit ON rights_requests")
    op.drop_index("ix_rights_requests_region_code_opened_at", table_name="rights_requests")
    op.drop_index("ix_rights_requests_opened_at_id", table_name="rights_requests")
    op.drop_index("ix_rights_requests_restricted", table_name="rights_requests")
    for column in ("kind", "state"):
        op.drop_index(f"ix_rights_requests_{column}", table_name="rights_requests")
    op.drop_index("ix_rights_requests_held_by_id_opened_at", table_name="rights_requests")
    op.drop_index("ix_rights_requests_child_id_opened_at", table_name="rights_requests")
    op.drop_table("rights_requests")
    op.drop_index("ix_notices_child_id_told_on", table_name="notices")
    op.drop_table("notices")
    op.drop_index(
        "uq_consents_standing",
        table_name="consents",
        postgresql_where=sa.text("withdrawn_on IS NULL"),
    )
    op.drop_index("ix_consents_child_id_given_on", table_name="consents")
    op.drop_table("consents")
