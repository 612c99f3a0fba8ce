"""Witnesses say what they hold, and another log names the one before

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0235
Revises: 0233
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0235"
down_revision: str | Sequence[str] | None = "0233"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "audit_logs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("old_key", sa.String(), nullable=False),
        sa.Column("old_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("old_root", sa.LargeBinary(), nullable=False),
        sa.Column("old_note", sa.String(), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_logs")),
    )
    op.create_index("uq_audit_logs_key", "audit_logs", ["key"], unique=True)
    op.create_table(
        "audit_presented",
        sa.Column("witness_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("log_key", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("presented_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["witness_id"],
            ["audit_witnesses.id"],
            name=op.f("fk_audit_presented_witness_id_audit_witnesses"),
        ),
        sa.PrimaryKeyConstraint(
            "witness_id", "place", "size", "root", name=op.f("pk_audit_presented")
        ),
    )
    op.add_column("audit_checkpoints", sa.Column("place", sa.String(), nullable=True))
    op.add_column("audit_witnesses", sa.Column("announced_in", sa.String(), nullable=True))
    op.execute("REVOKE ALL ON audit_logs FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON audit_logs TO tonghu_app")
    op.execute("REVOKE ALL ON audit_presented FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON audit_presented TO tonghu_app")


def downgrade() -> None:
    op.drop_column("audit_witnesses", "announced_in")
    op.drop_column("audit_checkpoints", "place")
    op.drop_table("audit_presented")
    op.drop_index("uq_audit_logs_key", table_name="audit_logs")
    op.drop_table("audit_logs")
