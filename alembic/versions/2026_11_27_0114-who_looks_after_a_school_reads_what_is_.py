"""who looks after a school reads what is doubted of it

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0114
Revises: 0113
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import every_row

revision: str = "0114"
down_revision: str | Sequence[str] | None = "0113"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON presence_doubts")
    op.add_column(
        "presence_doubts", sa.Column("overseer_id", sa.Uuid(), nullable=True), if_not_exists=True
    )
    op.execute("DROP POLICY IF EXISTS remit ON presence_doubts")
    op.execute(
        "CREATE POLICY remit ON presence_doubts USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = presence_doubts.id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN asked_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN overseer_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN EXISTS (SELECT 1 FROM hidden_subjects h WHERE h.subject_id = presence_doubts.id AND ((NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (h.hidden_from) OR coalesce(h.hidden_from && NULLIF(current_setting('tonghu.served', true), '')::uuid[], false)) OR (h.hidden_below > NULLIF(current_setting('tonghu.hi', true), '')::bigint - NULLIF(current_setting('tonghu.lo', true), '')::bigint AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency', true), '')::uuid)) OFFSET 0) THEN (false) WHEN school_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN asked_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN overseer_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN NULLIF(current_setting('tonghu.school', true), '')::uuid IS NOT NULL THEN (pupil_of = NULLIF(current_setting('tonghu.school', true), '')::uuid) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (true) ELSE false END)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_presence_doubts_overseer_id_id")
        op.create_index(
            "ix_presence_doubts_overseer_id_id",
            "presence_doubts",
            ["overseer_id", "id"],
            unique=False,
            postgresql_where=sa.text("overseer_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute(
            "ALTER TABLE presence_doubts DROP CONSTRAINT IF EXISTS fk_presence_doubts_overseer_id_agencies"
        )
        op.create_foreign_key(
            op.f("fk_presence_doubts_overseer_id_agencies"),
            "presence_doubts",
            "agencies",
            ["overseer_id"],
            ["id"],
            postgresql_not_valid=True,
        )
        with every_row("presence_doubts"):
            op.execute(
                "ALTER TABLE presence_doubts VALIDATE CONSTRAINT fk_presence_doubts_overseer_id_agencies"
            )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON presence_doubts")
    op.drop_constraint(
        op.f("fk_presence_doubts_overseer_id_agencies"),
        "presence_doubts",
        type_="foreignkey",
        if_exists=True,
    )
    op.drop_column("presence_doubts", "overseer_id", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON presence_doubts")
    op.execute(
        "CREATE POLICY remit ON presence_doubts USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = presence_doubts.id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN asked_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND) WITH CHECK (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN (EXISTS ( SELECT 1\n       FROM hidden_subjects h\n      WHERE h.subject_id = presence_doubts.id AND ((NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (h.hidden_from)) OR COALESCE(h.hidden_from && NULLIF(current_setting('tonghu.served'::text, true), ''::text)::uuid[], false) OR h.hidden_below > (NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint - NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint) AND h.filed_by_id IS DISTINCT FROM NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid)\n     OFFSET 0)) THEN false\n    WHEN school_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN asked_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NOT NULL THEN pupil_of = NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN true\n    ELSE false\nEND)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_presence_doubts_overseer_id_id",
            table_name="presence_doubts",
            postgresql_where=sa.text("overseer_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
