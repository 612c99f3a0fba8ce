"""What the sender sends next, and what it must not send any more."""

from collections.abc import Mapping
from datetime import timedelta
from math import ceil
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from app.core.data import hiding, keys
from app.core.data.db import Tx
from app.core.data.envelopes import Erased
from app.regions.rules import codes_of
from app.webhooks import rules
from app.webhooks.models import body_of

_NOT_URGENT: Final = 7 / 8
_NOT_MANDATORY: Final = 3 / 4
"""Of all that may be in flight, how much mandatory deliveries that are not urgent may take, and how
much others: however slow their endpoints are, a report finds a place.
"""


class Room(NamedTuple):
    """How many more may be claimed by now, of each kind what the ones before it leave."""

    urgent: int
    mandatory: int
    others: int


def rooms(most: int, in_flight: int, batch: int) -> Room:
    """Return the room there is. `most` may be in flight; `batch` are claimed at once."""
    parts = (1.0, _NOT_URGENT, _NOT_MANDATORY)
    return Room(*(min(ceil(most * part) - in_flight, batch) for part in parts))


# Looked at are the endpoints for which something is open, found one after another by the index.
# Fair: each gets as much as its gate has room for, mandatory deliveries first, of these the urgent,
# and the endpoints take turns; each kind as far as there is room for it. In order: nothing goes out
# while an earlier one about the same subject is open; but a mandatory one waits for mandatory ones
# alone. (Said so that no index but that of the order has it: else each that waits is compared with
# all that do.) `next_at` of a leased row is the end of its lease, so a lost lease is due like any
# other.
_CLAIM: Final = """
WITH RECURSIVE waiting (id) AS (
    (SELECT endpoint_id FROM webhook_deliveries WHERE state IN ('pending', 'leased')
     ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT w.endpoint_id FROM webhook_deliveries w
            WHERE w.state IN ('pending', 'leased') AND w.endpoint_id > waiting.id
            ORDER BY w.endpoint_id LIMIT 1)
    FROM waiting WHERE waiting.id IS NOT NULL
), class (name, urgent) AS (
    VALUES ('M', true), ('M', false), ('S', false)
), room AS MATERIALIZED (
    SELECT e.id, coalesce(gate.room, $4) - (
               SELECT count(*) FROM webhook_deliveries f
               WHERE f.endpoint_id = e.id AND f.state = 'leased' AND f.next_at > $1) AS free
    FROM waiting JOIN webhook_endpoints e USING (id)
    LEFT JOIN unnest($5::uuid[], $6::bigint[]) AS gate (id, room) USING (id)
    JOIN agencies a ON a.id = e.agency_id AND a.active
    WHERE e.active
), due AS MATERIALIZED (
    SELECT d.id, room.id AS endpoint_id, room.free, class.name AS class, class.urgent, d.next_at,
           d.manual
    FROM room CROSS JOIN class
    CROSS JOIN LATERAL (
        SELECT w.id, w.next_at, w.replays_due > 0 AS manual FROM webhook_deliveries w
        WHERE w.endpoint_id = room.id AND w.delivery_class = class.name AND w.urgent = class.urgent
          AND w.state IN ('pending', 'leased') AND w.next_at <= $1
          AND NOT EXISTS (
              SELECT 1 FROM webhook_deliveries earlier
              WHERE earlier.endpoint_id = w.endpoint_id AND earlier.ordering_key = w.ordering_key
                AND earlier.sequence < w.sequence
                AND earlier.state NOT IN ('succeeded', 'exhausted', 'closed', 'withheld')
                AND (earlier.delivery_class = 'M' OR w.delivery_class = 'S'))
        ORDER BY w.next_at LIMIT greatest(room.free, 0) FOR UPDATE SKIP LOCKED
    ) AS d
), chosen AS (
    SELECT id, manual FROM (
        SELECT id, manual, class, urgent,
               row_number() OVER (ORDER BY class, urgent DESC, turn) AS place
        FROM (
            SELECT id, manual, class, urgent, free, row_number() OVER (
                       PARTITION BY endpoint_id ORDER BY class, urgent DESC, next_at) AS turn
            FROM due
        ) AS ranked
        WHERE turn <= free
    ) AS placed
    WHERE place <= CASE WHEN urgent THEN $2::bigint
                        WHEN class = 'M' THEN $7::bigint ELSE $8::bigint END
)
UPDATE webhook_deliveries d
SET state = 'leased', lease = gen_random_uuid(), next_at = $3, attempts = d.attempts + 1,
    replays_due = greatest(d.replays_due - 1, 0)
FROM chosen, webhook_endpoints e WHERE d.id = chosen.id AND e.id = d.endpoint_id
RETURNING d.id, d.lease, d.webhook_id, d.body, d.delivery_class, d.attempts, d.replayed_after,
          d.delivered_at, d.event_id, d.wire_name, d.ordering_key, d.region_code, d.home_county,
          d.told_to, d.created_at, d.endpoint_id, d.agency_id, chosen.manual, e.url,
          e.secret_sealed, e.previous_secret_sealed, e.previous_secret_until
"""

# Whom an event was for was decided when it was queued; by now some may have to learn nothing of it.
_WITHHOLD: Final = f"""
UPDATE webhook_deliveries d
SET state = 'withheld', lease = NULL, replays_due = 0, attempts = d.attempts - 1
FROM webhook_endpoints e JOIN agencies a ON a.id = e.agency_id
WHERE d.id = ANY ($1::uuid[]) AND e.id = d.endpoint_id AND NOT ({
    hiding.shown(
        "d.ordering_key",
        "e.agency_id",
        "CASE WHEN e.relation = 'region' AND a.kind <> 'police' THEN e.region_hi - e.region_lo"
        f" ELSE {codes_of('0')} END",
        "ARRAY[e.agency_id]",
    )
} AND {hiding.sent("d.ordering_key", "a.kind", codes_of("a.region_code"))})
RETURNING d.id
"""
_END: Final = """
UPDATE webhook_deliveries
SET state = 'withheld', lease = NULL, replays_due = 0, attempts = attempts - 1
WHERE id = ANY ($1::uuid[])
"""


async def claim(
    tx: Tx, lease: timedelta, room: Room, gates: Mapping[UUID, int]
) -> list[dict[str, Any]]:
    """Lease what is due and may be sent, and open what is sealed of it. `gates`: what endpoints
    stand, of which something is known that differs.
    """
    rows: list[asyncpg.Record] = await tx.connection.fetch(
        _CLAIM,
        tx.now,
        room.urgent,
        tx.now + lease,
        rules.FULL_CONCURRENCY,
        list(gates),
        list(gates.values()),
        room.mandatory,
        room.others,
    )
    if not rows:
        return []
    withheld = await tx.connection.fetch(_WITHHOLD, [row["id"] for row in rows])
    gone = {row["id"] for row in withheld}
    await keys.of_rows(tx, rows)
    found, erased = [], []
    for row in rows:
        if row["id"] in gone:
            continue
        try:
            found.append({**row, "body": body_of(tx.keyring, row)})
        except Erased:
            erased.append(row["id"])
    if erased:
        await tx.connection.execute(_END, erased)
    return found
