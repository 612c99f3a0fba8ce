"""a report about a child nobody knows is asked about

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0054
Revises: 0053
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0054"
down_revision: str | Sequence[str] | None = "0053"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.add_column("unresolved", sa.Column("about_id", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.execute(
        "CREATE POLICY remit ON unresolved USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN about_id IS NOT NULL AND EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = unresolved.about_id AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN about_id IS NOT NULL AND EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = unresolved.about_id AND (NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL) ELSE false END)"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_kind")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_kind CHECK (kind IN ('visit', 'attendance', 'referral', 'two_entries', 'report')) NOT VALID"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_reason")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_reason CHECK (reason IN ('child_unknown', 'pupil_unknown', 'resident_id', 'id', 'name_and_birth_date', 'two_entries', 'several_children')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_about")
        op.create_index(
            "ix_unresolved_about",
            "unresolved",
            ["about_id"],
            unique=False,
            postgresql_where=sa.text("about_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_unresolved_asked_about")
        op.create_index(
            "uq_unresolved_asked_about",
            "unresolved",
            ["about_id"],
            unique=True,
            postgresql_where=sa.text("state = 'open' AND about_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_kind")
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_reason")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.drop_column("unresolved", "about_id", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON unresolved")
    op.execute(
        "CREATE POLICY remit ON unresolved USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL\n    ELSE false\nEND)"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_kind")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_kind CHECK (kind::text = ANY (ARRAY['visit'::character varying, 'attendance'::character varying, 'referral'::character varying, 'two_entries'::character varying]::text[])) NOT VALID"
    )
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_reason")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_reason CHECK (reason::text = ANY (ARRAY['child_unknown'::character varying, 'pupil_unknown'::character varying, 'resident_id'::character varying, 'id'::character varying, 'name_and_birth_date'::character varying, 'two_entries'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "uq_unresolved_asked_about",
            table_name="unresolved",
            postgresql_where=sa.text("state = 'open' AND about_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_unresolved_about",
            table_name="unresolved",
            postgresql_where=sa.text("about_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_kind")
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_reason")
