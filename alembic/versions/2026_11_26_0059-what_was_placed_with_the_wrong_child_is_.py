"""what was placed with the wrong child is taken back

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0059
Revises: 0058
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0059"
down_revision: str | Sequence[str] | None = "0058"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "unresolved", sa.Column("first_claim", sa.LargeBinary(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "unresolved",
        sa.Column("first_claim_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved", sa.Column("taken_back_by", sa.String(), nullable=True), if_not_exists=True
    )
    op.add_column(
        "unresolved",
        sa.Column("taken_back_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved",
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.add_column(
        "unresolved_evidence",
        sa.Column("corrected_sealed", sa.LargeBinary(), nullable=True),
        if_not_exists=True,
    )
    op.add_column("visits", sa.Column("called", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute("REVOKE ALL ON attendance_events FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (pupil_of, region_code) ON attendance_events TO tonghu_app"
    )
    op.execute("REVOKE ALL ON visit_versions FROM tonghu_app")
    op.execute(
        "GRANT DELETE, INSERT, SELECT, UPDATE (pupil_of, region_code) ON visit_versions TO tonghu_app"
    )
    op.execute("REVOKE ALL ON visits FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON visits TO tonghu_app")
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_state")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_state CHECK (state IN ('open', 'attached', 'corrected', 'dismissed', 'answered', 'taken_back')) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_unresolved_first_claim")
        op.create_index(
            "ix_unresolved_first_claim",
            "unresolved",
            ["first_claim"],
            unique=False,
            postgresql_where=sa.text("first_claim IS NOT NULL AND state = 'open'"),
            postgresql_concurrently=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_state")


def downgrade() -> None:
    op.drop_column("visits", "called", if_exists=True)
    op.drop_column("unresolved_evidence", "corrected_sealed", if_exists=True)
    op.drop_column("unresolved", "taken_back_at", if_exists=True)
    op.drop_column("unresolved", "taken_back_sealed", if_exists=True)
    op.drop_column("unresolved", "taken_back_by", if_exists=True)
    op.drop_column("unresolved", "first_claim_sealed", if_exists=True)
    op.drop_column("unresolved", "first_claim", if_exists=True)
    op.execute("REVOKE ALL ON attendance_events FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON attendance_events TO tonghu_app"
    )
    op.execute("REVOKE ALL ON visit_versions FROM tonghu_app")
    op.execute(
        "GRANT INSERT, SELECT, UPDATE (pupil_of, region_code) ON visit_versions TO tonghu_app"
    )
    op.execute("REVOKE ALL ON visits FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON visits TO tonghu_app")
    op.execute("ALTER TABLE unresolved DROP CONSTRAINT IF EXISTS ck_unresolved_state")
    op.execute(
        "ALTER TABLE unresolved ADD CONSTRAINT ck_unresolved_state CHECK (state::text = ANY (ARRAY['open'::character varying, 'attached'::character varying, 'corrected'::character varying, 'dismissed'::character varying, 'answered'::character varying]::text[])) NOT VALID"
    )
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_unresolved_first_claim",
            table_name="unresolved",
            postgresql_where=sa.text("first_claim IS NOT NULL AND state = 'open'"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("ALTER TABLE unresolved VALIDATE CONSTRAINT ck_unresolved_state")
