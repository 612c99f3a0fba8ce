"""The sender: claims what is due, sends it through `sending.py`, writes down what came of it.

Run by the worker, as many as you like. A delivery is claimed with SKIP LOCKED and a lease; a result
counts only under the lease it was claimed with. A worker that dies between send and result leaves
a lease that runs out, and the same bytes go out again under the same `webhook-id` (R1, R2).
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from app.core import settings as config
from app.core import tracing
from app.core.data.crypto import Keyring
from app.core.data.db import TemporarilyUnavailable, Tx
from app.core.data.wrong_keys import KeysWrong
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.core.jobs.queue import Begin
from app.core.jobs.runner import Connect, listen, wait, wake_at
from app.webhooks import claiming, events, rules, sending, signing
from app.webhooks.models import PREVIOUS_SECRET_PLACE, RESPONSE_PLACE, SECRET_PLACE
from app.webhooks.operations.deliveries import CHANNEL, pull_forward

_GATES: Final = 50_000
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
    claim: Mapping[str, Any]
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
        except (TemporarilyUnavailable, KeysWrong, asyncpg.PostgresError, OSError) as error:
            log.warning("webhooks.database_unavailable", error=type(error).__qualname__)
            losses += 1
            pause = min(0.1 * 2**losses, 5.0)
            sender.wake.clear()
        await wait(sender.wake, pause)


async def _turn(sender: _Sender, *, claims: bool) -> bool:
    """One transaction: results in, leases renewed, new claims out. True if there may be more."""
    results = list(sender.results)
    room = claiming.rooms(sender.settings.concurrency, len(sender.in_flight), sender.limits.batch)
    rows: list[dict[str, Any]] = []
    async with sender.begin() as tx:
        if results:
            await _record(tx, results)
        await _renew(sender, tx)
        back = set(sender.back)
        more = await pull_forward(tx, back) if back else set()
        if claims and room.urgent > 0:  # pragma: no branch  all of its room is taken
            gates = {each: gate.room(tx.now) for each, gate in sender.gates.items()}
            rows = await claiming.claim(tx, sender.lease, room, gates)
    del sender.results[: len(results)]
    sender.back = (sender.back - back) | more
    for row in rows:
        task = asyncio.create_task(_attempt(sender, row, tx.keyring, tx.now))
        sender.in_flight[row["lease"]] = (row["id"], task)
    return bool(rows) and len(sender.in_flight) < sender.settings.concurrency


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


async def _attempt(
    sender: _Sender, row: Mapping[str, Any], keyring: Keyring, now: datetime
) -> None:
    """Make one attempt; whatever happens becomes a result."""
    try:
        keys = _keys(keyring, row, now)
        with tracing.span("delivery", **{"tonghu.endpoint": str(row["endpoint_id"])}) as told:
            answer = await sender.send(
                row["url"], keys, webhook_id=row["webhook_id"], body=row["body"], at=now
            )
            if told is not None:
                told.set_attribute("http.response.status_code", answer.status or 0)
        sender.results.append(_judge(sender, row, answer, now, list(map(signing.key_id, keys))))
    except Exception as error:  # noqa: BLE001  one bad delivery must not end the sender
        log.warning("webhooks.attempt_failed", error=type(error).__qualname__)
        fault = sending.Answer(error="internal_error")
        sender.results.append(_judge(sender, row, fault, now, []))
    finally:
        del sender.in_flight[row["lease"]]
        sender.wake.set()


def _keys(keyring: Keyring, row: Mapping[str, Any], now: datetime) -> list[bytes]:
    unseal, endpoint = keyring.unseal_bytes, row["endpoint_id"]
    keys = [unseal(SECRET_PLACE, endpoint, row["secret_sealed"])]
    if row["previous_secret_until"] is not None and now < row["previous_secret_until"]:
        keys.append(unseal(PREVIOUS_SECRET_PLACE, endpoint, row["previous_secret_sealed"]))
    return keys


def _judge(
    sender: _Sender,
    row: Mapping[str, Any],
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
    sender: _Sender, row: Mapping[str, Any], answer: sending.Answer, ended_at: datetime
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
