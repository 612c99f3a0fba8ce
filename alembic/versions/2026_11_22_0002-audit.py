"""audit

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0002
Revises: 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("agency_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("child_ids", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("field_groups", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("ip", sa.String(), nullable=True),
        sa.Column(
            "committed_in",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(
        "ix_audit_entries_agency_id_at", "audit_entries", ["agency_id", "at"], unique=False
    )
    op.create_index(
        "ix_audit_entries_child_ids",
        "audit_entries",
        ["child_ids"],
        unique=False,
        postgresql_using="gin",
    )
    op.execute("REVOKE ALL ON audit_entries FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON audit_entries TO tonghu_app")
    op.execute("ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON audit_entries USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system' OR (region_code >= (SELECT NULLIF(current_setting('tonghu.lo', true), '')::bigint) AND region_code < (SELECT NULLIF(current_setting('tonghu.hi', true), '')::bigint))) WITH CHECK (true)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON audit_entries")
    op.drop_index("ix_audit_entries_child_ids", table_name="audit_entries", postgresql_using="gin")
    op.drop_index("ix_audit_entries_agency_id_at", table_name="audit_entries")
    op.drop_table("audit_entries")
