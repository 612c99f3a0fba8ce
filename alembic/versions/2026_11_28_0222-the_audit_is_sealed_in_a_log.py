"""the audit is sealed in a log

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0222
Revises: 0217
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0222"
down_revision: str | Sequence[str] | None = "0217"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MONTHS = """
SELECT c.relname, i.indexrelid IS NOT NULL FROM pg_inherits h
JOIN pg_class c ON c.oid = h.inhrelid
LEFT JOIN pg_inherits ih ON ih.inhparent = 'ix_audit_entries_committed_in_id'::regclass
    AND EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = ih.inhrelid AND x.indrelid = c.oid)
LEFT JOIN pg_index i ON i.indexrelid = ih.inhrelid
WHERE h.inhparent = 'audit_entries'::regclass ORDER BY 1
"""


def upgrade() -> None:
    op.create_table(
        "audit_leaves",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_audit_leaves")),
    )
    op.create_index("uq_audit_leaves_entry_id", "audit_leaves", ["entry_id"], unique=True)
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("i", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "i", name=op.f("pk_audit_nodes")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("log_key", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_xid", sa.BigInteger(), nullable=False),
        sa.Column(
            "pending", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False
        ),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_index("uq_audit_checkpoints_id", "audit_checkpoints", ["id"], unique=True)
    op.create_index(
        "ix_audit_checkpoints_made_at", "audit_checkpoints", ["made_at"], unique=False
    )
    for table in ("audit_leaves", "audit_nodes", "audit_checkpoints"):
        op.execute(f"REVOKE ALL ON {table} FROM tonghu_app")
        op.execute(f"GRANT SELECT ON {table} TO tonghu_app")
    # What the sealer may do is granted whenever `tonghu migrate` runs: its role may come later.
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation\n"  # of no rows: each month has its own
        "CREATE INDEX IF NOT EXISTS ix_audit_entries_committed_in_id"
        " ON ONLY audit_entries (committed_in, id)"
    )
    # Outside a transaction, month by month: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        if op.get_context().as_sql:
            return
        for month, done in op.get_bind().execute(sa.text(_MONTHS)).all():
            if not done:
                name = f"{month}_committed_in_id_idx"
                op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
                op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {month} (committed_in, id)")
                op.execute(f"ALTER INDEX ix_audit_entries_committed_in_id ATTACH PARTITION {name}")


def downgrade() -> None:
    op.drop_index("ix_audit_entries_committed_in_id", table_name="audit_entries")
    op.drop_table("audit_checkpoints")
    op.drop_table("audit_nodes")
    op.drop_table("audit_leaves")
