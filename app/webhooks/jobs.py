"""What happens to deliveries in the background, beside the sending (`delivery.py`)."""

from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import events as spine
from app.core.jobs import queue
from app.regions import following
from app.regions.events import RegionReplaced
from app.webhooks import events, rules
from app.webhooks.handing import JOB
from app.webhooks.operations.fan_out import hand_out_one


@queue.job(JOB)
async def hand_out_again(tx: Tx, payload: dict[str, Any]) -> None:
    """Hand out an event that was set aside. Of the release before, which queued this for each event
    it announced, nothing is left to do: those wait for their turn like all.
    """
    await hand_out_one(tx, UUID(payload["event"]))


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let endpoints hear of their place under its new code, and whoever reads the feed find there
    what happened before. Endpoints are few: no index begins with it.
    """
    await following.shift(tx, event, "webhook_endpoints", "region_code", "region_lo", "region_hi")
    keys = ("endpoint_id", "wire_name")
    await following.shift(tx, event, "subscriptions", "region_code", keys=keys)
    await _follow_events(tx, event)
    # Whoever handed out meanwhile did so by the code of before.
    again = event.model_dump(mode="json")
    await queue.enqueue(tx.connection, _AGAIN, [again], delay=following.LATER)


_AGAIN: Final = "webhooks.follow_events_again"


@queue.job(_AGAIN)
async def follow_events_again(tx: Tx, payload: dict[str, Any]) -> None:
    await _follow_events(tx, RegionReplaced.model_validate(payload))


async def _follow_events(tx: Tx, event: RegionReplaced) -> None:
    """Let those that are read by place be found at the new one."""
    which = "position > 0 AND told_to IS NULL"
    await following.shift(tx, event, "events", "place", which=which)


_PER_RUN: Final = 500
_OVERDUE: Final = """
UPDATE webhook_deliveries SET overdue_announced_at = $1
WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE delivery_class = 'M' AND delivered_at IS NULL AND overdue_announced_at IS NULL
      AND created_at <= $2 AND state IN ('pending', 'leased')
    ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING id, event_id, wire_name, ordering_key, agency_id, region_code, home_county, told_to
"""


@queue.every("webhooks.announce_overdue", "* * * * *")
async def announce_overdue(tx: Tx, payload: dict[str, Any]) -> None:
    """Announce, once each, the mandatory deliveries undelivered past their time (R6, REP-07)."""
    before = tx.now - rules.OVERDUE_AFTER
    overdue = await tx.connection.fetch(_OVERDUE, tx.now, before, _PER_RUN)
    await spine.publish(tx, *map(events.WebhookOverdue.of, overdue))


# As the operation does for one (`endpoints.subscribe`).
_MISSED: Final = """
INSERT INTO subscriptions (endpoint_id, wire_name, agency_id, relation, region_code)
SELECT e.id, taken, e.agency_id, e.relation, e.region_code
FROM webhook_endpoints e CROSS JOIN LATERAL unnest(e.event_types) AS taken
WHERE NOT EXISTS (SELECT FROM subscriptions s WHERE s.endpoint_id = e.id)
ON CONFLICT DO NOTHING
"""


@queue.every("webhooks.subscribe_missed", "*/10 * * * *")
async def subscribe_missed(tx: Tx, payload: dict[str, Any]) -> None:
    """Let endpoints be found that the release before registers beside this one; goes with the
    next.
    """
    await tx.connection.execute(_MISSED)


# Nobody tries what is for those that are switched off, so nobody else sees that its time is over.
_GIVE_UP: Final = """
UPDATE webhook_deliveries SET state = 'exhausted'
WHERE id IN (
    SELECT w.id FROM webhook_endpoints e CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries w
        WHERE w.endpoint_id = e.id AND w.delivery_class = 'S' AND NOT w.urgent
          AND w.state IN ('pending', 'leased') AND w.state = 'pending'
          AND w.next_at < $1 AND w.created_at < $1
        ORDER BY w.next_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS w
    WHERE NOT e.active LIMIT $2)
"""


@queue.every("webhooks.give_up", "40 * * * *")
async def give_up(tx: Tx, payload: dict[str, Any]) -> None:
    """Hold no longer what endpoints were switched off for thirty days for (R15)."""
    done = await tx.connection.execute(_GIVE_UP, tx.now - rules.HELD_FOR, _PER_RUN)
    if done == f"UPDATE {_PER_RUN}":  # pragma: no cover  of so many
        await queue.enqueue(tx.connection, "webhooks.give_up", [{}])
