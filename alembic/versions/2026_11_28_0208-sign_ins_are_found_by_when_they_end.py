"""sign-ins are found by when they end and go when they are old

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0208
Revises: 0207
"""

from collections.abc import Sequence

from alembic import op


revision: str = "0208"
down_revision: str | Sequence[str] | None = "0207"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("GRANT DELETE ON sign_ins TO tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_sign_ins_ends_at")
        op.create_index(
            "ix_sign_ins_ends_at",
            "sign_ins",
            ["ends_at"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_authorization_codes_sign_in_id")
        op.create_index(
            "ix_authorization_codes_sign_in_id",
            "authorization_codes",
            ["sign_in_id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_sign_ins_staff_id_ends_at")
        op.create_index(
            "ix_sign_ins_staff_id_ends_at",
            "sign_ins",
            ["staff_id", "ends_at"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_sign_in_places_name_failed")
        op.create_index(
            "ix_sign_in_places_name_failed",
            "sign_in_places",
            ["name_index", "failed_at"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            "ix_sign_ins_staff_id",
            table_name="sign_ins",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    op.execute("REVOKE DELETE ON sign_ins FROM tonghu_app")
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_sign_in_places_name_failed",
            table_name="sign_in_places",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_sign_ins_staff_id")
        op.create_index(
            "ix_sign_ins_staff_id",
            "sign_ins",
            ["staff_id"],
            unique=False,
            postgresql_concurrently=True,
        )
        op.drop_index(
            "ix_sign_ins_staff_id_ends_at",
            table_name="sign_ins",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_authorization_codes_sign_in_id",
            table_name="authorization_codes",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_sign_ins_ends_at",
            table_name="sign_ins",
            postgresql_concurrently=True,
            if_exists=True,
        )
