"""Queue deliveries in the transaction that made them due; send again or close them by hand."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.jobs.events import BadEvent, Event, publish
from app.webhooks import schemas, signing
from app.webhooks.acts import DELIVERY_ACTS, DeliveryNotOpen
from app.webhooks.models import CLOSED_PLACE
from app.webhooks.rules import of_package

CHANNEL: Final = "tonghu_deliveries"
"""NOTIFY channel the senders listen on."""

_MANDATORY_BYTES: Final = 20_000
ANY_BYTES: Final = 256 * 1024


class PayloadTooLarge(Exception):
    """The payload is larger than webhooks may be (R5): a fault of the feature that queued it."""


# Held: none of them can be switched off meanwhile, and nobody else who queues to them waits.
_TAKES: Final = """
SELECT id, agency_id FROM webhook_endpoints
WHERE agency_id = $1 AND active AND event_types && $2::text[] ORDER BY id FOR KEY SHARE
"""

_QUEUE: Final = """
WITH added AS (
    INSERT INTO webhook_deliveries
        (id, webhook_id, endpoint_id, agency_id, body, sequence, event_id, wire_name, ordering_key,
         region_code, home_county, told_to, urgent, delivery_class, state, attempts, replays_due,
         replayed_after, next_at, created_at)
    SELECT each.id, each.webhook_id, each.endpoint_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
           'M', 'pending', 0, 0, 0, $14, $14
    FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS each (id, webhook_id, endpoint_id)
)
SELECT pg_notify($15, '')
"""


async def tell(
    tx: Tx,
    event: Event,
    *,
    agency_id: UUID,
    announced: Event | None = None,
    urgent: bool = False,
) -> list[UUID]:
    """Announce an event, and queue a mandatory delivery of it to every endpoint of an agency that
    takes it (R1, REP-07). Return the deliveries' ids; none means that the agency has no endpoint
    for it and that nothing was announced: the caller must see to it that people tell people.

    The payload is the event's own fields: ids, codes and times. `announced`: the same event as
    others hear of it. `urgent`: goes before mandatory ones that are not. Raises PayloadTooLarge
    above 20 kB, BadEvent for one that tells of a case.
    """
    if event.of_case:
        raise BadEvent(f"{event.wire_name} tells of a case: what is mandatory is not sealed")
    async with tx.as_system():
        takes = [event.wire_name, of_package(event.wire_name)]
        endpoints = await tx.connection.fetch(_TAKES, agency_id, takes)
        if not endpoints:
            return []
        numbers = await publish(tx, announced or event)
        sequence = numbers[event.event_id]
        said = event.model_dump(mode="json")
        place = {name: region_text(said[name]) for name in ("region_code", "home_county")}
        facts = {**said, **place, "event_id": event.event_id, "sequence": sequence}
        body = body_of(event.wire_name, tx.now, facts, limit=_MANDATORY_BYTES)
        ids = [new_id() for _ in endpoints]
        await tx.connection.execute(
            _QUEUE,
            ids,
            [signing.new_webhook_id() for _ in ids],
            [row["id"] for row in endpoints],
            agency_id,
            body,
            sequence,
            event.event_id,
            event.wire_name,
            event.subject_id,
            event.region_code,
            event.home_county,
            event.told_to,
            urgent,
            tx.now,
            CHANNEL,
        )
    return ids


def body_of(wire_name: str, at: datetime, data: dict[str, Any], *, limit: int = ANY_BYTES) -> bytes:
    """Render a payload, once: the bytes stored are the bytes signed and sent (R3, R5)."""
    timestamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = orjson.dumps({"type": wire_name, "timestamp": timestamp, "data": data})
    if len(body) > limit:
        raise PayloadTooLarge(wire_name)
    return body


_PULL: Final = """
WITH pulled AS (
    UPDATE webhook_deliveries d SET next_at = greatest($2, d.not_before)
    FROM (SELECT w.id FROM unnest($1::uuid[]) AS back (endpoint_id) CROSS JOIN LATERAL (
              SELECT id FROM webhook_deliveries w
              WHERE w.endpoint_id = back.endpoint_id AND w.state = 'pending' AND w.next_at > $2
                AND coalesce(w.not_before < w.next_at, true)
              ORDER BY w.next_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS w) AS w
    WHERE d.id = w.id RETURNING d.endpoint_id
)
SELECT endpoint_id FROM pulled GROUP BY endpoint_id HAVING count(*) = $3
"""
PULLED: Final = 500
"""How many deliveries of one endpoint are pulled forward at a time."""


async def pull_forward(tx: Tx, endpoint_ids: Collection[UUID]) -> set[UUID]:
    """Let what waits to be tried again be due now, since its endpoint answers again; but never
    before the receiver said (R8). Return those that have more of it.
    """
    rows = await tx.connection.fetch(_PULL, list(endpoint_ids), tx.now, PULLED)
    return {row["endpoint_id"] for row in rows}


async def replay_delivery(tx: Tx, delivery: asyncpg.Record) -> asyncpg.Record:
    """Send a delivery again, whatever its state; each call is one more send (R18)."""
    return await tx.connection.fetchrow(
        """WITH again AS (
               UPDATE webhook_deliveries
               SET replays_due = replays_due + 1,
                   state = CASE state WHEN 'leased' THEN 'leased' ELSE 'pending' END,
                   next_at = CASE state WHEN 'leased' THEN next_at ELSE $2 END,
                   replayed_after = attempts
               WHERE id = $1 RETURNING *
           )
           SELECT *, pg_notify($3, '') FROM again""",
        delivery["id"],
        tx.now,
        CHANNEL,
    )


async def close_delivery(
    tx: Tx, principal: Principal, delivery: asyncpg.Record, closure: schemas.Closure
) -> asyncpg.Record:
    """End a mandatory delivery for a person (R6). Raises PersonRequired, DeliveryNotOpen."""
    DELIVERY_ACTS["closeWebhookDelivery"].require(principal, delivery, tx.today)
    row = await tx.connection.fetchrow(
        """UPDATE webhook_deliveries
           SET state = 'closed', lease = NULL, replays_due = 0,
               closed_at = $2, closed_by = $3, closed_because_sealed = $4
           WHERE id = $1 AND state IN ('pending', 'leased')
           RETURNING *""",
        delivery["id"],
        tx.now,
        principal.staff_id,
        tx.keyring.seal(CLOSED_PLACE, delivery["id"], closure.reason),
    )
    if row is None:  # it arrived meanwhile
        raise DeliveryNotOpen
    return row
