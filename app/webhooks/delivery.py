"""The sender: claims what is due, sends it through `sending.py`, writes down what came of it.

Run by the worker, as many as you like. A delivery is claimed with SKIP LOCKED and a lease; a result
counts only under the lease it was claimed with. A worker that dies between send and result leaves
a lease that runs out, and the same bytes go out again under the same `webhook-id` (R1, R2).
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from app.core import settings as config
from app.core.data import hiding
from app.core.data.crypto import Keyring
from app.core.data.db import TemporarilyUnavailable, Tx
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.core.jobs.queue import Begin
from app.core.jobs.runner import Connect, listen, wait, wake_at
from app.regions.rules import codes_of
from app.webhooks import events, rules, sending, signing
from app.webhooks.models import PREVIOUS_SECRET_PLACE, RESPONSE_PLACE, SECRET_PLACE
from app.webhooks.operations.deliveries import CHANNEL, pull_forward

_GATES: Final = 1_000
"""Of how many endpoints it is kept what they stand."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How a sender behaves; the defaults are the production values.

    `poll`: how often due retries are looked for; new deliveries are heard of at once. `margin`: how
    much longer than an attempt a lease lasts (R2).
    """

    poll: timedelta = timedelta(seconds=1)
    margin: timedelta = timedelta(seconds=15)
    batch: int = 500


# Looked at are the endpoints for which something is open, found one after another by the index.
# Fair: each gets as much as its gate has room for, mandatory deliveries first, of these the urgent,
# and the endpoints take turns. In order: nothing goes out while an earlier one about the same
# subject is open; but a mandatory one waits for mandatory ones alone. `next_at` of a leased row is
# the end of its lease, so a lost lease is due like any other.
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
                AND earlier.sequence < w.sequence AND earlier.state IN ('pending', 'leased')
                AND earlier.delivery_class <= w.delivery_class)
        ORDER BY w.next_at LIMIT greatest(room.free, 0) FOR UPDATE SKIP LOCKED
    ) AS d
), chosen AS (
    SELECT id, manual FROM (
        SELECT id, manual, class, urgent, free, row_number() OVER (
                   PARTITION BY endpoint_id ORDER BY class, urgent DESC, next_at) AS turn
        FROM due
    ) AS ranked
    WHERE turn <= free ORDER BY class, urgent DESC, turn LIMIT $2
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

# A send asked for by hand meanwhile is still owed. An attempt whose lease was lost was made all the
# same, so it is logged; only its delivery is no longer ours to change.
_RECORD: Final = """
WITH result AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],
        $6::uuid[], $7::uuid[], $8::int[], $9::text[], $10::timestamptz[], $11::int[], $12::text[],
        $13::int[], $14::text[], $15::bytea[], $16::bool[], $17::text[], $18::timestamptz[])
    AS r (delivery_id, lease, state, next_at, delivered_at, id, agency_id, number, trigger,
          started_at, duration_ms, address, status, error, response, truncated, key_ids, not_before)
), logged AS (
    INSERT INTO webhook_attempts (id, delivery_id, agency_id, number, trigger, started_at,
        duration_ms, address, status, error, response_sealed, response_truncated, key_ids)
    SELECT id, delivery_id, agency_id, number, trigger, started_at, duration_ms, address, status,
           error, response, truncated, string_to_array(key_ids, ' ')
    FROM result ON CONFLICT DO NOTHING
)
UPDATE webhook_deliveries d
SET state = CASE WHEN d.replays_due > 0 THEN 'pending' ELSE r.state END,
    next_at = CASE WHEN d.replays_due > 0 THEN r.started_at ELSE r.next_at END,
    delivered_at = coalesce(d.delivered_at, r.delivered_at), lease = NULL,
    not_before = r.not_before
FROM result r WHERE d.id = r.delivery_id AND d.lease = r.lease RETURNING d.id
"""

_RENEW: Final = """
UPDATE webhook_deliveries SET next_at = $2 WHERE lease = ANY ($1::uuid[]) AND id = ANY ($3::uuid[])
"""


@dataclass(frozen=True, slots=True)
class _Result:
    id: UUID  # of the attempt, however often it is tried to record it
    claim: asyncpg.Record
    answer: sending.Answer
    started_at: datetime
    key_ids: list[str]
    state: str
    next_at: datetime
    not_before: datetime | None


@dataclass
class _Sender:
    begin: Begin
    send: sending.Send
    settings: config.Webhooks
    limits: Limits
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: dict[UUID, tuple[UUID, asyncio.Task[None]]] = field(default_factory=dict)
    results: list[_Result] = field(default_factory=list)
    gates: dict[UUID, rules.Gate] = field(default_factory=dict)
    back: set[UUID] = field(default_factory=set)
    renew_at: float = 0.0

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.attempt_seconds) + self.limits.margin


async def run(
    connect: Connect,
    *,
    begin: Begin,
    settings: config.Webhooks,
    stop: asyncio.Event,
    limits: Limits | None = None,
) -> None:
    """Send what is due until `stop` is set, then finish what is in flight.

    `connect` opens a direct connection for LISTEN; `begin` a transaction that sees every agency.
    The time is that of its transactions. Survives the loss of the database: results wait in
    memory, and what is lost with the process is sent again.
    """
    async with sending.open_client(settings) as send:
        sender = _Sender(begin, send, settings, limits or Limits())
        helpers = [
            asyncio.create_task(listen(connect, CHANNEL, sender.wake)),
            asyncio.create_task(wake_at(stop, sender.wake)),
        ]
        try:
            await _work(sender, stop)
        finally:
            left = [task for _, task in sender.in_flight.values()]
            for task in (*helpers, *left):
                task.cancel()
            await asyncio.gather(*helpers, *left, return_exceptions=True)


async def _work(sender: _Sender, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    losses, give_up_at = 0, float("inf")
    while True:
        sender.wake.clear()
        pause = sender.limits.poll.total_seconds()
        if stop.is_set():
            give_up_at = min(give_up_at, loop.time() + sender.settings.attempt_seconds + 5)
            if not (sender.in_flight or sender.results) or loop.time() >= give_up_at:
                return
        try:
            if await _turn(sender, claims=not stop.is_set()):
                continue
            losses = 0
        except (TemporarilyUnavailable, asyncpg.PostgresError, OSError) as error:
            log.warning("webhooks.database_unavailable", error=type(error).__qualname__)
            losses += 1
            pause = min(0.1 * 2**losses, 5.0)
            sender.wake.clear()
        await wait(sender.wake, pause)


async def _turn(sender: _Sender, *, claims: bool) -> bool:
    """One transaction: results in, leases renewed, new claims out. True if there may be more."""
    results = list(sender.results)
    room = min(sender.settings.concurrency - len(sender.in_flight), sender.limits.batch)
    rows: list[asyncpg.Record] = []
    async with sender.begin() as tx:
        if results:
            await _record(tx, results)
        await _renew(sender, tx)
        back = set(sender.back)
        more = await pull_forward(tx, back) if back else set()
        if claims and room > 0:  # pragma: no branch  all of its room is taken
            rows = await _claim(sender, tx, room)
    del sender.results[: len(results)]
    sender.back = (sender.back - back) | more
    for row in rows:
        task = asyncio.create_task(_attempt(sender, row, tx.keyring, tx.now))
        sender.in_flight[row["lease"]] = (row["id"], task)
    return bool(rows) and len(sender.in_flight) < sender.settings.concurrency


async def _claim(sender: _Sender, tx: Tx, room: int) -> list[asyncpg.Record]:
    gates = sender.gates
    rows: list[asyncpg.Record] = await tx.connection.fetch(
        _CLAIM,
        tx.now,
        room,
        tx.now + sender.lease,
        rules.FULL_CONCURRENCY,
        list(gates),
        [gate.room(tx.now) for gate in gates.values()],
    )
    if not rows:
        return rows
    withheld = await tx.connection.fetch(_WITHHOLD, [row["id"] for row in rows])
    gone = {row["id"] for row in withheld}
    return [row for row in rows if row["id"] not in gone]


async def _renew(sender: _Sender, tx: Tx) -> None:
    """Keep the leases of what is in flight."""
    now = asyncio.get_running_loop().time()
    if sender.in_flight and now >= sender.renew_at:
        sender.renew_at = now + sender.lease.total_seconds() / 3
        await tx.connection.execute(
            _RENEW,
            list(sender.in_flight),
            tx.now + sender.lease,
            [delivery for delivery, _ in sender.in_flight.values()],
        )


async def _attempt(sender: _Sender, row: asyncpg.Record, keyring: Keyring, now: datetime) -> None:
    """Make one attempt; whatever happens becomes a result."""
    try:
        keys = _keys(keyring, row, now)
        answer = await sender.send(
            row["url"], keys, webhook_id=row["webhook_id"], body=row["body"], at=now
        )
        sender.results.append(_judge(sender, row, answer, now, list(map(signing.key_id, keys))))
    except Exception as error:  # noqa: BLE001  one bad delivery must not end the sender
        log.warning("webhooks.attempt_failed", error=type(error).__qualname__)
        fault = sending.Answer(error="internal_error")
        sender.results.append(_judge(sender, row, fault, now, []))
    finally:
        del sender.in_flight[row["lease"]]
        sender.wake.set()


def _keys(keyring: Keyring, row: asyncpg.Record, now: datetime) -> list[bytes]:
    unseal, endpoint = keyring.unseal_bytes, row["endpoint_id"]
    keys = [unseal(SECRET_PLACE, endpoint, row["secret_sealed"])]
    if row["previous_secret_until"] is not None and now < row["previous_secret_until"]:
        keys.append(unseal(PREVIOUS_SECRET_PLACE, endpoint, row["previous_secret_sealed"]))
    return keys


def _judge(
    sender: _Sender,
    row: asyncpg.Record,
    answer: sending.Answer,
    started_at: datetime,
    key_ids: list[str],
) -> _Result:
    """Decide what becomes of the delivery, and of the endpoint's gate."""
    ended_at = started_at + answer.took
    failures = max(row["attempts"] - row["replayed_after"], 1)
    if rules.is_back(_move_gate(sender, row, answer, ended_at), failures - 1, answer.status):
        sender.back.add(row["endpoint_id"])
    state, next_at, not_before = "succeeded", ended_at, None
    if not rules.succeeded(answer.status):
        again = None
        not_before = rules.not_before(row["delivery_class"], answer.retry_after, ended_at)
        if not rules.refuses_for_good(row["delivery_class"], answer.status, answer.said):
            again = rules.next_attempt(
                row["delivery_class"],
                failures,
                ended_at,
                queued_at=row["created_at"],
                not_before=not_before,
                random=random.random(),  # noqa: S311  spreads retries, guards nothing
            )
        state, next_at = ("exhausted", ended_at) if again is None else ("pending", again)
    return _Result(new_id(), row, answer, started_at, key_ids, state, next_at, not_before)


def _move_gate(
    sender: _Sender, row: asyncpg.Record, answer: sending.Answer, ended_at: datetime
) -> rules.Gate:
    """Move the endpoint's gate; return how it stood. Those that have long been well are forgotten
    when there are many.
    """
    gates, was = sender.gates, sender.gates.pop(row["endpoint_id"], rules.Gate())
    gate = rules.gate_after(
        was,
        answer.status,
        took=answer.took,
        timed_out=answer.error == "timed_out",
        now=ended_at,
    )
    if gate != rules.Gate():
        gates[row["endpoint_id"]] = gate
    if len(gates) > _GATES:  # pragma: no branch  of so many endpoints
        del gates[next((each for each in gates if not gates[each].failures), next(iter(gates)))]
    return was


async def _record(tx: Tx, results: list[_Result]) -> None:
    """Write results in one statement, and announce mandatory deliveries that arrived."""
    columns = [_columns(tx, result) for result in results]
    rows = await tx.connection.fetch(
        _RECORD, *(list(column) for column in zip(*columns, strict=True))
    )
    ours = {row["id"] for row in rows}
    await publish(
        tx,
        *(
            events.DeliverySucceeded.of(claim)
            for result in results
            if (claim := result.claim)["id"] in ours
            and claim["delivery_class"] == "M"
            and claim["delivered_at"] is None
            and result.state == "succeeded"
        ),
    )


def _columns(tx: Tx, result: _Result) -> tuple[Any, ...]:
    claim, answer, attempt = result.claim, result.answer, result.id
    return (
        claim["id"],
        claim["lease"],
        result.state,
        result.next_at,
        result.next_at if result.state == "succeeded" else None,
        attempt,
        claim["agency_id"],
        claim["attempts"],
        "manual" if claim["manual"] else "auto",
        result.started_at,
        int(answer.took.total_seconds() * 1000),
        answer.address,
        answer.status,
        answer.error,
        tx.keyring.seal(RESPONSE_PLACE, attempt, answer.body) if answer.body else None,
        answer.truncated,
        " ".join(result.key_ids),
        result.not_before,
    )
