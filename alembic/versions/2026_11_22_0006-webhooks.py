"""webhooks

Rules for a revision: expand first, backfill by a job, contract later; NOT VALID + VALIDATE for
constraints on tables with rows; indexes CONCURRENTLY in an autocommit block; say for every new table
who may see it (grants and row-level security); never import `app`. FORCE row-level security binds
the owner too: a backfill must open its reach first, or it silently changes nothing.

Revision: 0006
Revises: 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("mandatory", sa.Boolean(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("region_lo", sa.BigInteger(), nullable=False),
        sa.Column("region_hi", sa.BigInteger(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "relation IN ('region', 'enrolled', 'none')", name=op.f("ck_webhook_endpoints_relation")
        ),
        sa.CheckConstraint(
            "(previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)",
            name=op.f("ck_webhook_endpoints_rotation"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_webhook_endpoints_agency_id_agencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(
        op.f("ix_webhook_endpoints_agency_id"), "webhook_endpoints", ["agency_id"], unique=False
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("wire_name", sa.String(), nullable=False),
        sa.Column("ordering_key", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.Column("home_county", sa.BigInteger(), nullable=False),
        sa.Column("told_to", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("delivery_class", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("replays_due", sa.Integer(), nullable=False),
        sa.Column("replayed_after", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_because", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (state <> 'closed' OR closed_at IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_closed"),
        ),
        sa.CheckConstraint(
            "(state = 'leased') = (lease IS NOT NULL)", name=op.f("ck_webhook_deliveries_lease")
        ),
        sa.CheckConstraint(
            "delivery_class IN ('M', 'S')", name=op.f("ck_webhook_deliveries_delivery_class")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'leased', 'succeeded', 'exhausted', 'closed')",
            name=op.f("ck_webhook_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_webhook_deliveries_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["staff.id"], name=op.f("fk_webhook_deliveries_closed_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_endpoint_id_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "event_id", "endpoint_id", name=op.f("uq_webhook_deliveries_event_id_endpoint_id")
        ),
        sa.UniqueConstraint("webhook_id", name=op.f("uq_webhook_deliveries_webhook_id")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_webhook_deliveries_agency_id_id",
        "webhook_deliveries",
        ["agency_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["endpoint_id", "delivery_class", "next_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.create_index(
        "ix_webhook_deliveries_endpoint_id_id",
        "webhook_deliveries",
        ["endpoint_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_deliveries_leased",
        "webhook_deliveries",
        ["endpoint_id"],
        unique=False,
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "ix_webhook_deliveries_order",
        "webhook_deliveries",
        ["endpoint_id", "ordering_key", "sequence"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.create_index(
        "ix_webhook_deliveries_overdue",
        "webhook_deliveries",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text(
            "delivery_class = 'M' AND delivered_at IS NULL AND overdue_announced_at IS NULL"
        ),
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("response_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("response_truncated", sa.Boolean(), nullable=False),
        sa.Column("key_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint(
            "trigger IN ('auto', 'manual')", name=op.f("ck_webhook_attempts_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["agency_id"], ["agencies.id"], name=op.f("fk_webhook_attempts_agency_id_agencies")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id_webhook_deliveries"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
        sa.UniqueConstraint(
            "delivery_id", "number", name=op.f("uq_webhook_attempts_delivery_id_number")
        ),
    )
    op.execute("REVOKE ALL ON webhook_attempts FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT ON webhook_attempts TO tonghu_app")
    op.execute("ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE webhook_attempts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON webhook_attempts USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system') WITH CHECK (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )
    op.execute("REVOKE ALL ON webhook_deliveries FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO tonghu_app")
    op.execute("ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE webhook_deliveries FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON webhook_deliveries USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system') WITH CHECK (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )
    op.execute("REVOKE ALL ON webhook_endpoints FROM tonghu_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO tonghu_app")
    op.execute("ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE webhook_endpoints FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY remit ON webhook_endpoints USING (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system') WITH CHECK (agency_id = (SELECT NULLIF(current_setting('tonghu.agency', true), '')::uuid) OR (SELECT NULLIF(current_setting('tonghu.caller', true), '')::text) = 'system')"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON webhook_attempts")
    op.execute("DROP POLICY IF EXISTS remit ON webhook_deliveries")
    op.execute("DROP POLICY IF EXISTS remit ON webhook_endpoints")
    op.drop_table("webhook_attempts")
    op.drop_index(
        "ix_webhook_deliveries_overdue",
        table_name="webhook_deliveries",
        postgresql_where=sa.text(
            "delivery_class = 'M' AND delivered_at IS NULL AND overdue_announced_at IS NULL"
        ),
    )
    op.drop_index(
        "ix_webhook_deliveries_order",
        table_name="webhook_deliveries",
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.drop_index(
        "ix_webhook_deliveries_leased",
        table_name="webhook_deliveries",
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.drop_index("ix_webhook_deliveries_endpoint_id_id", table_name="webhook_deliveries")
    op.drop_index(
        "ix_webhook_deliveries_due",
        table_name="webhook_deliveries",
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.drop_index("ix_webhook_deliveries_agency_id_id", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_index(op.f("ix_webhook_endpoints_agency_id"), table_name="webhook_endpoints")
    op.drop_table("webhook_endpoints")
