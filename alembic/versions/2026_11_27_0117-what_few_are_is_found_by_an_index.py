"""what few are is found by an index

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0117
Revises: 0116
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0117"
down_revision: str | Sequence[str] | None = "0116"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.create_table(
        "audit_children",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("child_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_children")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_audit_children_child_ids",
        "audit_children",
        ["child_ids"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": "256"},
        if_not_exists=True,
    )
    op.execute("REVOKE ALL ON audit_children FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON audit_children TO tonghu_app")
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN ((told_to IS NULL OR NOT CASE WHEN bearer_role = 'police' AND bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END)) WHEN overseer_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN ((told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to)) AND (told_to IS NULL OR NOT CASE WHEN bearer_role = 'police' AND bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END)) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND (told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to)) AND (told_to IS NULL OR NOT CASE WHEN bearer_role = 'police' AND bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.police_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) ELSE EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) END)) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_confirmations_pupil_of_confirmed_on")
        op.create_index(
            "ix_confirmations_pupil_of_confirmed_on",
            "confirmations",
            ["pupil_of", "confirmed_on", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_cause_id")
        op.create_index(
            "ix_dropout_alerts_cause_id",
            "dropout_alerts",
            ["cause", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_state_id")
        op.create_index(
            "ix_dropout_alerts_state_id",
            "dropout_alerts",
            ["state", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_dropout_alerts_whereabouts_id")
        op.create_index(
            "ix_dropout_alerts_whereabouts_id",
            "dropout_alerts",
            ["whereabouts", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_priority")
        op.create_index(
            "ix_duties_priority",
            "duties",
            ["due_at", "id"],
            unique=False,
            postgresql_where=sa.text("priority"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_waiver")
        op.create_index(
            "ix_duties_waiver",
            "duties",
            ["due_at", "id"],
            unique=False,
            postgresql_where=sa.text("waiver_at IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_police_reports_suspect")
        op.create_index(
            "ix_police_reports_suspect",
            "police_reports",
            ["filed_at", "id"],
            unique=False,
            postgresql_where=sa.text("suspect_step_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_posts_role_region_code_id")
        op.create_index(
            "ix_posts_role_region_code_id",
            "posts",
            ["role", "region_code", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            op.f("ix_unresolved_open"),
            table_name="unresolved",
            postgresql_where="((state)::text = 'open'::text)",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_state_due_at_id")
        op.create_index(
            "ix_unresolved_state_due_at_id",
            "unresolved",
            ["state", "due_at", "id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_visits_abnormal")
        op.create_index(
            "ix_visits_abnormal",
            "visits",
            ["visited_on", "id"],
            unique=False,
            postgresql_where=sa.text("abnormal"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_visits_abnormal_in_region")
        op.create_index(
            "ix_visits_abnormal_in_region",
            "visits",
            ["region_code", "visited_on", "id"],
            unique=False,
            postgresql_where=sa.text("abnormal"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_visits_withdrawal_proposed")
        op.create_index(
            "ix_visits_withdrawal_proposed",
            "visits",
            ["visited_on", "id"],
            unique=False,
            postgresql_where=sa.text(
                "withdrawal_by IS NOT NULL AND withdrawal_confirmed_by IS NULL"
            ),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.drop_index(
        "ix_audit_children_child_ids",
        table_name="audit_children",
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": "256"},
        if_exists=True,
    )
    op.drop_table("audit_children", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN told_to IS NOT NULL AND\n    CASE\n        WHEN bearer_role::text = 'police'::text AND bearer_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN (EXISTS ( SELECT 1\n           FROM hidden_subjects h\n          WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.police_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n         OFFSET 0))\n        ELSE (EXISTS ( SELECT 1\n           FROM hidden_subjects h\n          WHERE h.subject_id = duties.subject_id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n         OFFSET 0))\n    END THEN false\n    WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN overseer_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to))\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to)))\n    ELSE false\nEND) WITH CHECK (NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_visits_withdrawal_proposed",
            table_name="visits",
            postgresql_where=sa.text(
                "withdrawal_by IS NOT NULL AND withdrawal_confirmed_by IS NULL"
            ),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_visits_abnormal_in_region",
            table_name="visits",
            postgresql_where=sa.text("abnormal"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_visits_abnormal",
            table_name="visits",
            postgresql_where=sa.text("abnormal"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_unresolved_state_due_at_id",
            table_name="unresolved",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_open")
        op.create_index(
            op.f("ix_unresolved_open"),
            "unresolved",
            ["due_at", "id"],
            unique=False,
            postgresql_where="((state)::text = 'open'::text)",
            postgresql_concurrently=True,
        )
        op.drop_index(
            "ix_posts_role_region_code_id",
            table_name="posts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_police_reports_suspect",
            table_name="police_reports",
            postgresql_where=sa.text("suspect_step_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_waiver",
            table_name="duties",
            postgresql_where=sa.text("waiver_at IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_duties_priority",
            table_name="duties",
            postgresql_where=sa.text("priority"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_dropout_alerts_whereabouts_id",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_dropout_alerts_state_id",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_dropout_alerts_cause_id",
            table_name="dropout_alerts",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_confirmations_pupil_of_confirmed_on",
            table_name="confirmations",
            postgresql_concurrently=True,
            if_exists=True,
        )
