"""witnesses hold what was signed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0223
Revises: 0222
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0223"
down_revision: str | Sequence[str] | None = "0222"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "audit_witnesses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("registered_by", sa.String(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_audit_witnesses_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_witnesses")),
    )
    op.create_index(
        "uq_audit_witnesses_agency_id",
        "audit_witnesses",
        ["agency_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "audit_cosignatures",
        sa.Column("witness_id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["witness_id"],
            ["audit_witnesses.id"],
            name=op.f("fk_audit_cosignatures_witness_id_audit_witnesses"),
        ),
        sa.PrimaryKeyConstraint("witness_id", "size", name=op.f("pk_audit_cosignatures")),
    )
    op.create_index("ix_audit_cosignatures_size", "audit_cosignatures", ["size"], unique=False)
    op.execute("REVOKE ALL ON audit_witnesses FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON audit_witnesses TO tonghu_app")
    op.execute("REVOKE ALL ON audit_cosignatures FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON audit_cosignatures TO tonghu_app")


def downgrade() -> None:
    op.drop_index("ix_audit_cosignatures_size", table_name="audit_cosignatures")
    op.drop_table("audit_cosignatures")
    op.drop_index("uq_audit_witnesses_agency_id", table_name="audit_witnesses")
    op.drop_table("audit_witnesses")
