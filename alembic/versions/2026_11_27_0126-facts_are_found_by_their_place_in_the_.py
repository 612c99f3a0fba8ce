"""facts are found by their place in the feed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0126
Revises: 0125
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


revision: str = "0126"
down_revision: str | Sequence[str] | None = "0125"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_events_county_position")
        op.create_index(
            "ix_events_county_position",
            "events",
            [sa.literal_column("(place / 1000000)"), "position"],
            unique=False,
            postgresql_include=["place"],
            postgresql_where=sa.text("position > 0 AND told_to IS NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_events_place_position")
        op.create_index(
            "ix_events_place_position",
            "events",
            ["place", "position"],
            unique=False,
            postgresql_where=sa.text("position > 0 AND told_to IS NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_events_waiting")
        op.create_index(
            "ix_events_waiting",
            "events",
            ["n", "id"],
            unique=False,
            postgresql_where=sa.text("position IS NULL"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_events_position")
        op.create_index(
            "uq_events_position",
            "events",
            ["position"],
            unique=True,
            postgresql_where=sa.text("position > 0"),
            postgresql_concurrently=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_deliveries_turn")
        op.create_index(
            "ix_webhook_deliveries_turn",
            "webhook_deliveries",
            ["endpoint_id", "delivery_class", "urgent", "next_at"],
            unique=False,
            postgresql_where=sa.text("state IN ('pending', 'leased')"),
            postgresql_concurrently=True,
        )
        op.drop_index(
            op.f("ix_webhook_deliveries_due"),
            table_name="webhook_deliveries",
            postgresql_where="((state)::text = ANY ((ARRAY['pending'::character varying, 'leased'::character varying])::text[]))",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    # Outside a transaction: the app goes on meanwhile.
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_webhook_deliveries_turn",
            table_name="webhook_deliveries",
            postgresql_where=sa.text("state IN ('pending', 'leased')"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_deliveries_due")
        op.create_index(
            op.f("ix_webhook_deliveries_due"),
            "webhook_deliveries",
            ["endpoint_id", "delivery_class", "next_at"],
            unique=False,
            postgresql_where="((state)::text = ANY ((ARRAY['pending'::character varying, 'leased'::character varying])::text[]))",
            postgresql_concurrently=True,
        )
        op.drop_index(
            "uq_events_position",
            table_name="events",
            postgresql_where=sa.text("position > 0"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_events_waiting",
            table_name="events",
            postgresql_where=sa.text("position IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_events_place_position",
            table_name="events",
            postgresql_where=sa.text("position > 0 AND told_to IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.drop_index(
            "ix_events_county_position",
            table_name="events",
            postgresql_where=sa.text("position > 0 AND told_to IS NULL"),
            postgresql_concurrently=True,
            if_exists=True,
        )
