"""fill what numbers were told and who subscribed

Rules for a revision: expand first, fill in a revision of its own, contract in a later release; the
release before this one still runs on the new schema. Protected rows are seen inside `every_row` or
`in_batches` (reach.py) only. Never import `app`: the code changes later, this stays.

Revision: 0127
Revises: 0126
"""

from collections.abc import Sequence

from alembic import op
from reach import every_row, in_batches


revision: str = "0127"
down_revision: str | Sequence[str] | None = "0126"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # What the release before queued and did not hand out waits for its turn.
    in_batches(
        "events",
        "position = NULL",
        where="position = 0 AND EXISTS (SELECT FROM jobs j WHERE j.name = 'webhooks.fan_out'"
        " AND j.payload ->> 'event' = events.id::text)",
    )
    with every_row("webhook_deliveries", "webhook_endpoints", "subscriptions"):
        # A number told of a subject is not told again of another fact about it.
        op.execute(
            "INSERT INTO subject_sequences (subject_id, last)"
            " SELECT ordering_key, max(sequence) FROM webhook_deliveries GROUP BY ordering_key"
            " ON CONFLICT (subject_id) DO UPDATE"
            " SET last = greatest(subject_sequences.last, excluded.last)"
        )
        op.execute(
            "INSERT INTO subscriptions (endpoint_id, wire_name, agency_id, relation, region_code)"
            " SELECT e.id, taken, e.agency_id, e.relation, e.region_code"
            " FROM webhook_endpoints e CROSS JOIN LATERAL unnest(e.event_types) AS taken"
            " WHERE NOT (taken NOT LIKE '%.*'"
            " AND split_part(taken, '.', 1) || '.*' = ANY (e.event_types))"
            " ON CONFLICT DO NOTHING"
        )


def downgrade() -> None:
    pass  # The rows keep what they got; the tables go with their own revision.
