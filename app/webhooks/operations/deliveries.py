"""Queue deliveries in the transaction that made them due; send again or close them by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.access.principal import Principal
from app.agencies.queries import lineage_in_sql
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.jobs.events import Event
from app.regions import queries as regions
from app.webhooks import schemas, signing
from app.webhooks.acts import DELIVERY_ACTS, DeliveryNotOpen

CHANNEL: Final = "tonghu_deliveries"
"""NOTIFY channel the senders listen on."""

_MANDATORY_BYTES: Final = 20_000
_ANY_BYTES: Final = 256 * 1024


class PayloadTooLarge(Exception):
    """The payload is larger than webhooks may be (R5): a fault of the feature that queued it."""


# Counting the sequence up locks the endpoint's row: sequences become visible in their own order,
# and an endpoint cannot be switched off meanwhile.
_NUMBER_MANDATORY = """
WITH chosen AS (
    SELECT id FROM webhook_endpoints WHERE agency_id = $1 AND active AND event_types && $2::text[]
    ORDER BY id FOR UPDATE
)
UPDATE webhook_endpoints e SET last_sequence = e.last_sequence + 1
FROM chosen WHERE e.id = chosen.id RETURNING e.id, e.agency_id, e.last_sequence
"""

_NAMED = """
SELECT region_code, ARRAY(SELECT jsonb_array_elements_text(
    coalesce(told_to, '[]') || coalesce(data -> 'known_to', '[]')
    || jsonb_build_array(data -> 'school_id', data -> 'agency_id'))::uuid) AS agencies
FROM events WHERE id = $1
"""
# An event that names who may be told goes to them and nobody else. The others go to whom they name
# as `known_to`, wherever it happened; to those whose region it happened in; and a role bound to its
# own pupils hears of those that name its school, one without children's files of those that
# name its agency: closed unless the event says otherwise (AZ-3, AZ-8). Looked at are only those of
# the agencies that it names, and of the places in which it happened: by an index each.
_NUMBER_SUBSCRIBERS = f"""
WITH chosen AS (
    SELECT e.id, v.id AS event_id, v.wire_name, v.subject_id, v.home_county,
           v.data::text AS data, v.occurred_at
    FROM events v
    JOIN webhook_endpoints e
      ON e.active
     AND (e.agency_id = ANY ($3::uuid[])
          OR (e.relation = 'region' AND e.region_code IN ({lineage_in_sql("$2::bigint")})))
     AND e.event_types && ARRAY[v.wire_name::text, split_part(v.wire_name, '.', 1) || '.*']
     AND CASE WHEN v.told_to IS NOT NULL THEN v.told_to ? e.agency_id::text
              WHEN v.data -> 'known_to' ? e.agency_id::text THEN true
              WHEN e.relation = 'region'
              THEN $2 >= e.region_lo AND $2 < e.region_hi
              WHEN e.relation = 'enrolled' THEN v.data ->> 'school_id' = e.agency_id::text
              ELSE v.data ->> 'agency_id' = e.agency_id::text END
    WHERE v.id = $1
      AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                      WHERE d.event_id = v.id AND d.endpoint_id = e.id)
    ORDER BY e.id FOR UPDATE OF e
)
UPDATE webhook_endpoints e SET last_sequence = e.last_sequence + 1
FROM chosen WHERE e.id = chosen.id
RETURNING e.id, e.agency_id, e.last_sequence, chosen.event_id, chosen.wire_name,
          chosen.subject_id, chosen.home_county, chosen.data, chosen.occurred_at
"""

_QUEUE = """
WITH added AS (
    INSERT INTO webhook_deliveries
        (id, webhook_id, endpoint_id, agency_id, sequence, body, event_id, wire_name, ordering_key,
         region_code, home_county, told_to, delivery_class, state, attempts, replays_due,
         replayed_after, next_at, created_at)
    SELECT each.id, each.webhook_id, each.endpoint_id, each.agency_id, each.sequence, each.body,
           $7, $8, $9, $10, $11, $12, $13, 'pending', 0, 0, 0, $14, $14
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bytea[])
      AS each (id, webhook_id, endpoint_id, agency_id, sequence, body)
)
SELECT pg_notify($15, '')
"""


async def queue_mandatory(
    tx: Tx, event: Event, *, agency_id: UUID, data: dict[str, Any]
) -> list[UUID]:
    """Queue a mandatory delivery to every endpoint of an agency that takes the event (R1, REP-07).

    `data`: a thin payload, ids and codes only; `event_id` and `sequence` are added. Returns the
    deliveries' ids; none means the agency has no endpoint for it, and the caller must see to it
    that people tell people. Raises PayloadTooLarge above 20 kB.
    """
    async with tx.as_system():
        takes = [event.wire_name, f"{event.wire_name.partition('.')[0]}.*"]
        numbered = await tx.connection.fetch(_NUMBER_MANDATORY, agency_id, takes)
        facts = {**data, "event_id": event.event_id}
        bodies = _bodies(event.wire_name, tx.now, facts, numbered, limit=_MANDATORY_BYTES)
        about = (event.event_id, event.wire_name, event.subject_id)
        where = (event.region_code, event.home_county, event.told_to)
        return await _queue(tx, numbered, bodies, *about, *where, "M")


async def fan_out(tx: Tx, event_id: UUID) -> None:
    """Queue an event to every subscriber that may hear of it and was not told directly.

    May hear: the agencies in the event's `told_to`, if it has one; else those its data names as
    `known_to`, endpoints whose region it lies in or, for roles that do not work on regions, those
    whose agency the event's data names as `school_id` or `agency_id`. The region is where the
    event's place is now: its code may have been replaced since.
    """
    said = await tx.connection.fetchrow(_NAMED, event_id)
    if said is None:  # pragma: no cover  cleaned up meanwhile
        return
    place = await regions.current(tx, said["region_code"], tx.today) or said["region_code"]
    numbered = await tx.connection.fetch(_NUMBER_SUBSCRIBERS, event_id, place, said["agencies"])
    if not numbered:
        return
    event = numbered[0]
    facts = {
        **orjson.loads(event["data"]),
        "region_code": region_text(place),
        "home_county": region_text(event["home_county"]),
        "event_id": event_id,
    }
    at = event["occurred_at"]
    bodies = _bodies(event["wire_name"], at, facts, numbered, limit=_ANY_BYTES)
    about = (event_id, event["wire_name"], event["subject_id"])
    where = (place, event["home_county"], None)
    await _queue(tx, numbered, bodies, *about, *where, "S")


async def _queue(
    tx: Tx, numbered: Sequence[Any], bodies: Sequence[bytes], *facts: object
) -> list[UUID]:
    ids = [new_id() for _ in numbered]
    if ids:
        await tx.connection.execute(
            _QUEUE,
            ids,
            [signing.new_webhook_id() for _ in ids],
            [row["id"] for row in numbered],
            [row["agency_id"] for row in numbered],
            [row["last_sequence"] for row in numbered],
            bodies,
            *facts,
            tx.now,
            CHANNEL,
        )
    return ids


def _bodies(
    wire_name: str, at: datetime, data: dict[str, Any], numbered: Sequence[Any], *, limit: int
) -> list[bytes]:
    """Render the payloads, once: the bytes stored are the bytes signed and sent (R3, R5)."""
    timestamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    bodies = []
    for row in numbered:
        told = {**data, "sequence": row["last_sequence"]}
        body = orjson.dumps({"type": wire_name, "timestamp": timestamp, "data": told})
        if len(body) > limit:
            raise PayloadTooLarge(wire_name)
        bodies.append(body)
    return bodies


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
               closed_at = $2, closed_by = $3, closed_because = $4
           WHERE id = $1 AND state IN ('pending', 'leased')
           RETURNING *""",
        delivery["id"],
        tx.now,
        principal.staff_id,
        closure.reason,
    )
    if row is None:  # it arrived meanwhile
        raise DeliveryNotOpen
    return row
