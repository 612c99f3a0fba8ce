"""duties are known to who looks after who owes them

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0049
Revises: 0048
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from reach import every_row

revision: str = "0049"
down_revision: str | Sequence[str] | None = "0048"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.add_column("duties", sa.Column("overseer_id", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) WHEN overseer_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN ((told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to))) WHEN region_code >= NULLIF(current_setting('tonghu.lo', true), '')::bigint AND region_code < NULLIF(current_setting('tonghu.hi', true), '')::bigint THEN (NULLIF(current_setting('tonghu.school', true), '')::uuid IS NULL AND (told_to IS NULL OR NULLIF(current_setting('tonghu.agency', true), '')::uuid = ANY (told_to))) ELSE false END) WITH CHECK (NULLIF(current_setting('tonghu.caller', true), '')::text = 'system')"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_duties_overseer_id_due_at")
        op.create_index(
            "ix_duties_overseer_id_due_at",
            "duties",
            ["overseer_id", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("overseer_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE duties DROP CONSTRAINT IF EXISTS fk_duties_overseer_id_agencies")
        op.create_foreign_key(
            op.f("fk_duties_overseer_id_agencies"),
            "duties",
            "agencies",
            ["overseer_id"],
            ["id"],
            postgresql_not_valid=True,
        )
        with every_row("duties"):
            op.execute("ALTER TABLE duties VALIDATE CONSTRAINT fk_duties_overseer_id_agencies")


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.drop_constraint(
        op.f("fk_duties_overseer_id_agencies"), "duties", type_="foreignkey", if_exists=True
    )
    op.drop_column("duties", "overseer_id", if_exists=True)
    op.execute("DROP POLICY IF EXISTS remit ON duties")
    op.execute(
        "CREATE POLICY remit ON duties USING (\nCASE\n    WHEN NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text THEN true\n    WHEN bearer_agency_id = NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid THEN true\n    WHEN region_code >= NULLIF(current_setting('tonghu.lo'::text, true), ''::text)::bigint AND region_code < NULLIF(current_setting('tonghu.hi'::text, true), ''::text)::bigint THEN NULLIF(current_setting('tonghu.school'::text, true), ''::text)::uuid IS NULL AND (told_to IS NULL OR (NULLIF(current_setting('tonghu.agency'::text, true), ''::text)::uuid = ANY (told_to)))\n    ELSE false\nEND) WITH CHECK (NULLIF(current_setting('tonghu.caller'::text, true), ''::text) = 'system'::text)"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_duties_overseer_id_due_at",
            table_name="duties",
            postgresql_where=sa.text("overseer_id IS NOT NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
