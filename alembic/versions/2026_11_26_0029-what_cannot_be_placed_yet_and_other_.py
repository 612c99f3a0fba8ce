"""what cannot be placed yet, and other names of files

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0022
Revises: 0021
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0029"
down_revision: str | Sequence[str] | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "unresolved",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("owner_role", sa.String(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column(
            "sender", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("sent_from", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.LargeBinary(), nullable=True),
        sa.Column("claim_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("child_id", sa.Uuid(), nullable=True),
        sa.Column("other_child_id", sa.Uuid(), nullable=True),
        sa.Column("twin_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("their_answer", sa.String(), nullable=True),
        sa.Column("their_answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("their_answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (settled_at IS NULL)", name=op.f("ck_unresolved_settled")
        ),
        sa.CheckConstraint(
            "answer IN ('same_child', 'another_child', 'number_wrong', 'one_visit', 'two_visits')",
            name=op.f("ck_unresolved_answer"),
        ),
        sa.CheckConstraint(
            "kind IN ('visit', 'attendance', 'referral', 'two_entries')",
            name=op.f("ck_unresolved_kind"),
        ),
        sa.CheckConstraint(
            "reason IN ('child_unknown', 'pupil_unknown', 'resident_id', 'id', 'name_and_birth_date', 'two_entries')",
            name=op.f("ck_unresolved_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'attached', 'corrected', 'dismissed', 'answered')",
            name=op.f("ck_unresolved_state"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_unresolved_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unresolved")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_agency_id_due_at",
        "unresolved",
        ["agency_id", "due_at", "id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_claim", "unresolved", ["claim"], unique=False, if_not_exists=True
    )
    op.create_index(
        "ix_unresolved_due_at_id", "unresolved", ["due_at", "id"], unique=False, if_not_exists=True
    )
    op.create_index(
        "ix_unresolved_open",
        "unresolved",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_region_code_due_at",
        "unresolved",
        ["region_code", "due_at", "id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_sent_from",
        "unresolved",
        ["sent_from"],
        unique=False,
        postgresql_where=sa.text("sent_from IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_index(
        "uq_unresolved_asked_once",
        "unresolved",
        ["agency_id", "kind", "claim"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
        if_not_exists=True,
    )
    op.create_table(
        "child_aliases",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("alias", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.PrimaryKeyConstraint("alias", "agency_id", "home_county", name=op.f("pk_child_aliases")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_child_aliases_child_id", "child_aliases", ["child_id"], unique=False, if_not_exists=True
    )
    op.create_table(
        "unresolved_evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("unresolved_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sender_ref", sa.String(), nullable=False),
        sa.Column("content_mac", sa.LargeBinary(), nullable=False),
        sa.Column("sent_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["unresolved_id"],
            ["unresolved.id"],
            name=op.f("fk_unresolved_evidence_unresolved_id_unresolved"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unresolved_evidence")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_evidence_region_code",
        "unresolved_evidence",
        ["region_code"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_evidence_unresolved_id",
        "unresolved_evidence",
        ["unresolved_id", "received_at", "id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        "ix_unresolved_evidence_waiting",
        "unresolved_evidence",
        ["agency_id", "kind"],
        unique=False,
        postgresql_where=sa.text("waiting"),
        if_not_exists=True,
    )
    op.create_index(
        "uq_unresolved_evidence_sent",
        "unresolved_evidence",
        ["agency_id", "kind", "sender_ref"],
        unique=True,
        if_not_exists=True,
    )
    op.add_column(
        "duplicate_referrals",
        sa.Column("submitted_id", sa.Uuid(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "duplicate_referrals", sa.Column("agency_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "visits", sa.Column("possibly_same_as", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.add_column("visits", sa.Column("same_as", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute("REVOKE ALL ON child_aliases FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (pupil_of, region_code) ON child_aliases TO tonghu_app"
    )
    op.execute("ALTER TABLE child_aliases ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE child_aliases FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON child_aliases")
    op.execute(
        "CREATE POLICY remit ON child_aliases USING (CASE WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    op.execute("REVOKE ALL ON unresolved FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON unresolved TO tonghu_app")
    op.execute("ALTER TABLE unresolved ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE unresolved FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.execute(
        "CREATE POLICY remit ON unresolved USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END)"
    )
    op.execute("REVOKE ALL ON unresolved_evidence FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON unresolved_evidence TO tonghu_app")
    op.execute("ALTER TABLE unresolved_evidence ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE unresolved_evidence FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON unresolved_evidence")
    op.execute(
        "CREATE POLICY remit ON unresolved_evidence USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duplicate_referrals_submitted")
        op.create_index(
            "ix_duplicate_referrals_submitted",
            "duplicate_referrals",
            ["agency_id", "submitted_id"],
            unique=False,
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON child_aliases")
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.execute("DROP POLICY IF EXISTS remit ON unresolved_evidence")
    op.drop_column("visits", "same_as", if_exists=True)
    op.drop_column("visits", "possibly_same_as", if_exists=True)
    op.drop_column("duplicate_referrals", "agency_id", if_exists=True)
    op.drop_column("duplicate_referrals", "submitted_id", if_exists=True)
    op.drop_index("uq_unresolved_evidence_sent", table_name="unresolved_evidence", if_exists=True)
    op.drop_index(
        "ix_unresolved_evidence_waiting",
        table_name="unresolved_evidence",
        postgresql_where=sa.text("waiting"),
        if_exists=True,
    )
    op.drop_index(
        "ix_unresolved_evidence_unresolved_id", table_name="unresolved_evidence", if_exists=True
    )
    op.drop_index(
        "ix_unresolved_evidence_region_code", table_name="unresolved_evidence", if_exists=True
    )
    op.drop_table("unresolved_evidence", if_exists=True)
    op.drop_index("ix_child_aliases_child_id", table_name="child_aliases", if_exists=True)
    op.drop_table("child_aliases", if_exists=True)
    op.drop_index(
        "uq_unresolved_asked_once",
        table_name="unresolved",
        postgresql_where=sa.text("state = 'open'"),
        if_exists=True,
    )
    op.drop_index(
        "ix_unresolved_sent_from",
        table_name="unresolved",
        postgresql_where=sa.text("sent_from IS NOT NULL"),
        if_exists=True,
    )
    op.drop_index("ix_unresolved_region_code_due_at", table_name="unresolved", if_exists=True)
    op.drop_index(
        "ix_unresolved_open",
        table_name="unresolved",
        postgresql_where=sa.text("state = 'open'"),
        if_exists=True,
    )
    op.drop_index("ix_unresolved_due_at_id", table_name="unresolved", if_exists=True)
    op.drop_index("ix_unresolved_claim", table_name="unresolved", if_exists=True)
    op.drop_index("ix_unresolved_agency_id_due_at", table_name="unresolved", if_exists=True)
    op.drop_table("unresolved", if_exists=True)
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duplicate_referrals_submitted",
            table_name="duplicate_referrals",
            postgresql_where=sa.text("settled_at IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
