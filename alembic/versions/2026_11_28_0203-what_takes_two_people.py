"""what takes two people

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0203
Revises: 0202
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0203"
down_revision: str | Sequence[str] | None = "0202"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("concerns_id", sa.Uuid(), nullable=True),
        sa.Column("region_code", sa.BigInteger(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_in", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "used_at IS NULL OR verdict = 'approved'", name=op.f("ck_approvals_used")
        ),
        sa.CheckConstraint("verdict IN ('approved', 'refused')", name=op.f("ck_approvals_verdict")),
        sa.CheckConstraint(
            "(verdict IS NULL) = (decided_at IS NULL) AND (verdict IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_approvals_decided"),
        ),
        sa.CheckConstraint("decided_by <> proposed_by", name=op.f("ck_approvals_two_people")),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_approvals_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["concerns_id"], ["agencies.id"], name=op.f("fk_approvals_concerns_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff.id"], name=op.f("fk_approvals_decided_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["decided_in"], ["agencies.id"], name=op.f("fk_approvals_decided_in_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["staff.id"], name=op.f("fk_approvals_proposed_by_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "ix_approvals_agency_id_proposed_at",
        "approvals",
        ["agency_id", "proposed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_approvals_concerns_id_proposed_at",
        "approvals",
        ["concerns_id", "proposed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_approvals_proposed_by",
        "approvals",
        ["proposed_by", "proposed_at", "id"],
        unique=False,
    )
    op.create_index("ix_approvals_region_code", "approvals", ["region_code"], unique=False)
    op.create_index(
        "ix_approvals_role_proposed_at", "approvals", ["role", "proposed_at", "id"], unique=False
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("concerns_id", sa.Uuid(), nullable=True),
        sa.Column("region_code", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finding", sa.String(), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.Column("reviewed_in", sa.Uuid(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("finding IN ('proper', 'improper')", name=op.f("ck_reviews_finding")),
        sa.CheckConstraint(
            "(finding IS NULL) = (reviewed_at IS NULL) AND (finding IS NULL) = (reviewed_by IS NULL)",
            name=op.f("ck_reviews_reviewed"),
        ),
        sa.CheckConstraint("reviewed_by <> done_by", name=op.f("ck_reviews_two_people")),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_reviews_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["concerns_id"], ["agencies.id"], name=op.f("fk_reviews_concerns_id_agencies")
        ),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name=op.f("fk_reviews_done_by_staff")),
        sa.ForeignKeyConstraint(
            ["reviewed_by"], ["staff.id"], name=op.f("fk_reviews_reviewed_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_in"], ["agencies.id"], name=op.f("fk_reviews_reviewed_in_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "ix_approvals_unused",
        "approvals",
        ["role", "expires_at"],
        unique=False,
        postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.create_index(
        "ix_reviews_owed",
        "reviews",
        ["role", "due_at"],
        unique=False,
        postgresql_where=sa.text("finding IS NULL"),
    )
    op.create_index(
        "ix_reviews_agency_id_done_at", "reviews", ["agency_id", "done_at", "id"], unique=False
    )
    op.create_index(
        "ix_reviews_concerns_id_done_at", "reviews", ["concerns_id", "done_at", "id"], unique=False
    )
    op.create_index("ix_reviews_region_code", "reviews", ["region_code"], unique=False)
    op.create_index("ix_reviews_role_done_at", "reviews", ["role", "done_at", "id"], unique=False)
    op.create_table(
        "same_persons",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_same_persons_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_same_persons")),
    )
    op.create_index(op.f("ix_same_persons_person_id"), "same_persons", ["person_id"], unique=False)
    op.execute("REVOKE ALL ON approvals FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON approvals TO tonghu_app")
    op.execute("ALTER TABLE approvals ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE approvals FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON approvals USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = approvals.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN concerns_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = approvals.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN concerns_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON reviews FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON reviews TO tonghu_app")
    op.execute("ALTER TABLE reviews ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE reviews FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON reviews USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = reviews.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN concerns_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = reviews.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN concerns_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON same_persons FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON same_persons TO tonghu_app")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON approvals")
    op.execute("DROP POLICY IF EXISTS remit ON reviews")
    op.drop_index(op.f("ix_same_persons_person_id"), table_name="same_persons")
    op.drop_table("same_persons")
    op.drop_index(
        "ix_reviews_owed", table_name="reviews", postgresql_where=sa.text("finding IS NULL")
    )
    op.drop_index(
        "ix_approvals_unused",
        table_name="approvals",
        postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.drop_index("ix_reviews_role_done_at", table_name="reviews")
    op.drop_index("ix_reviews_region_code", table_name="reviews")
    op.drop_index("ix_reviews_concerns_id_done_at", table_name="reviews")
    op.drop_index("ix_reviews_agency_id_done_at", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("ix_approvals_role_proposed_at", table_name="approvals")
    op.drop_index("ix_approvals_proposed_by", table_name="approvals")
    op.drop_index("ix_approvals_region_code", table_name="approvals")
    op.drop_index("ix_approvals_concerns_id_proposed_at", table_name="approvals")
    op.drop_index("ix_approvals_agency_id_proposed_at", table_name="approvals")
    op.drop_table("approvals")
