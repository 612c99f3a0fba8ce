"""facts are numbered by subject and handed out in order

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0125
Revises: 0120
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0125"
down_revision: str | Sequence[str] | None = "0120"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "event_feed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_event_feed_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_feed")),
        if_not_exists=True,
    )
    op.create_table(
        "event_named",
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "relation IN ('any', 'enrolled', 'none')", name=op.f("ck_event_named_relation")
        ),
        sa.PrimaryKeyConstraint("agency_id", "position", "relation", name=op.f("pk_event_named")),
        if_not_exists=True,
    )
    op.create_table(
        "subject_sequences",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_subject_sequences")),
        if_not_exists=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("wire_name", sa.String(), nullable=False),
        sa.Column("agency_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("region_code", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "relation IN ('region', 'enrolled', 'none')", name=op.f("ck_subscriptions_relation")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("fk_subscriptions_endpoint_id_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "wire_name", name=op.f("pk_subscriptions")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_subscriptions_agency_id_wire_name",
        "subscriptions",
        ["agency_id", "wire_name"],
        unique=False,
        postgresql_include=["endpoint_id", "relation"],
        if_not_exists=True,
    )
    op.create_index(
        "ix_subscriptions_wire_name_region_code",
        "subscriptions",
        ["wire_name", "region_code"],
        unique=False,
        postgresql_include=["endpoint_id", "agency_id"],
        postgresql_where=sa.text("relation = 'region'"),
        if_not_exists=True,
    )
    # What is there was handed out by the release before: it reads as 0, and no row is rewritten.
    op.execute(
        "ALTER TABLE events ADD COLUMN IF NOT EXISTS n bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN IF NOT EXISTS position bigint DEFAULT 0,"
        " ADD COLUMN IF NOT EXISTS sequence bigint, ADD COLUMN IF NOT EXISTS place bigint"
    )
    # The defaults are of this transaction alone.
    for column in ("n", "position"):
        op.execute(
            "-- squawk-ignore ban-drop-default\n"
            f"ALTER TABLE events ALTER COLUMN {column} DROP DEFAULT"
        )
    op.execute(
        "-- squawk-ignore ban-alter-identity\n"
        "ALTER TABLE events ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY"
    )
    # Nothing ever read it; its default wrote it.
    op.drop_column("events", "committed_in", if_exists=True)
    op.add_column(
        "webhook_deliveries",
        sa.Column("urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        if_not_exists=True,
    )
    op.add_column(
        "webhook_deliveries",
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        if_not_exists=True,
    )
    op.drop_constraint(
        op.f("fk_webhook_deliveries_agency_id_agencies"),
        "webhook_deliveries",
        type_="foreignkey",
        if_exists=True,
    )
    # 160 bits at random: nobody looks one up.
    op.drop_constraint(
        op.f("uq_webhook_deliveries_webhook_id"),
        "webhook_deliveries",
        type_="unique",
        if_exists=True,
    )
    op.execute("REVOKE ALL ON event_feed FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON event_feed TO tonghu_app")
    op.execute("REVOKE ALL ON event_named FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON event_named TO tonghu_app")
    op.execute("REVOKE ALL ON events FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE (place, position, sequence) ON events TO tonghu_app")
    op.execute("REVOKE ALL ON subject_sequences FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT, UPDATE ON subject_sequences TO tonghu_app")
    op.execute("REVOKE ALL ON subscriptions FROM tonghu_app")
    op.execute("GRANT DELETE, INSERT, SELECT, UPDATE ON subscriptions TO tonghu_app")
    op.execute("ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE subscriptions FORCE ROW LEVEL SECURITY")
    op.execute("DROP POLICY IF EXISTS remit ON subscriptions")
    op.execute(
        "CREATE POLICY remit ON subscriptions USING (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END) WITH CHECK (CASE WHEN NULLIF(current_setting('tonghu.caller', true), '')::text = 'system' THEN (true) WHEN agency_id = NULLIF(current_setting('tonghu.agency', true), '')::uuid THEN (true) ELSE false END)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY IF EXISTS remit ON subscriptions")
    op.execute(
        "ALTER TABLE webhook_deliveries ADD CONSTRAINT fk_webhook_deliveries_agency_id_agencies"
        " FOREIGN KEY (agency_id) REFERENCES agencies (id) NOT VALID"
    )
    op.create_unique_constraint(
        op.f("uq_webhook_deliveries_webhook_id"), "webhook_deliveries", ["webhook_id"]
    )
    op.drop_column("webhook_deliveries", "not_before", if_exists=True)
    op.drop_column("webhook_deliveries", "urgent", if_exists=True)
    op.add_column(
        "events",
        sa.Column(
            "committed_in",
            sa.BIGINT(),
            server_default=sa.text("((pg_current_xact_id())::text)::bigint"),
            autoincrement=False,
            nullable=False,
        ),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_events_committed_in"), "events", ["committed_in"], unique=False, if_not_exists=True
    )
    op.drop_column("events", "place", if_exists=True)
    op.drop_column("events", "position", if_exists=True)
    op.drop_column("events", "sequence", if_exists=True)
    op.drop_column("events", "n", if_exists=True)
    op.drop_index(
        "ix_subscriptions_wire_name_region_code",
        table_name="subscriptions",
        postgresql_include=["endpoint_id", "agency_id"],
        postgresql_where=sa.text("relation = 'region'"),
        if_exists=True,
    )
    op.drop_index(
        "ix_subscriptions_agency_id_wire_name",
        table_name="subscriptions",
        postgresql_include=["endpoint_id", "relation"],
        if_exists=True,
    )
    op.drop_table("subscriptions", if_exists=True)
    op.drop_table("subject_sequences", if_exists=True)
    op.drop_table("event_named", if_exists=True)
    op.drop_table("event_feed", if_exists=True)
    op.execute("REVOKE ALL ON events FROM tonghu_app")
    op.execute("GRANT INSERT, SELECT ON events TO tonghu_app")
