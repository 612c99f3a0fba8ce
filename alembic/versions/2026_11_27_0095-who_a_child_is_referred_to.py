"""who a child is referred to

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0095
Revises: 0094
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0095"
down_revision: str | Sequence[str] | None = "0094"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "referrals",
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("pupil_of", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("to_kind", sa.String(), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("needs", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("told_to", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(source = 'by_hand') = (source_id IS NULL)", name=op.f("ck_referrals_came_of")
        ),
        sa.CheckConstraint(
            "answer IN ('accepted', 'done', 'refused', 'not_reached', 'cannot_help')",
            name=op.f("ck_referrals_answer"),
        ),
        sa.CheckConstraint(
            "source IN ('by_hand', 'visit', 'service')", name=op.f("ck_referrals_source")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'answered', 'cancelled')",
            name=op.f("ck_referrals_state"),
        ),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL)", name=op.f("ck_referrals_answered")
        ),
        sa.ForeignKeyConstraint(
            ["from_id"], ["agencies.id"], name=op.f("fk_referrals_from_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
        ),
        sa.ForeignKeyConstraint(
            ["to_id"], ["agencies.id"], name=op.f("fk_referrals_to_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", "home_county", name=op.f("pk_referrals")),
    )
    op.create_index(
        "ix_referrals_child_id_opened_at",
        "referrals",
        ["child_id", "opened_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_referrals_from_id_opened_at", "referrals", ["from_id", "opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_referrals_region_code_opened_at",
        "referrals",
        ["region_code", "opened_at", "id"],
        unique=False,
    )
    op.create_index("ix_referrals_source_id", "referrals", ["source_id"], unique=False)
    op.create_index(
        "ix_referrals_to_id_opened_at", "referrals", ["to_id", "opened_at", "id"], unique=False
    )
    op.execute("REVOKE ALL ON referrals FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON referrals TO tonghu_app")
    op.execute("ALTER TABLE referrals ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE referrals FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON referrals USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = referrals.id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) OR (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL AND NOT (NULLIF(current_setting('tonghu.agency', true), '')::uuid IN (from_id, to_id))) THEN (false) WHEN from_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN to_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = referrals.id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) OR (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL AND NOT (NULLIF(current_setting('tonghu.agency', true), '')::uuid IN (from_id, to_id))) THEN (false) WHEN from_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN to_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON referrals")
    op.drop_index("ix_referrals_to_id_opened_at", table_name="referrals")
    op.drop_index("ix_referrals_source_id", table_name="referrals")
    op.drop_index("ix_referrals_region_code_opened_at", table_name="referrals")
    op.drop_index("ix_referrals_from_id_opened_at", table_name="referrals")
    op.drop_index("ix_referrals_child_id_opened_at", table_name="referrals")
    op.drop_table("referrals")
