"""Hand events out: each gets its place in the feed, and a delivery to whoever may hear of it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.agencies.queries import lineage_in_sql
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.jobs.events import COUNTED
from app.regions import queries as regions
from app.webhooks.operations.deliveries import CHANNEL, body_of

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('webhooks/fan_out', 32))"
_COLUMNS: Final = (
    "id, wire_name, subject_id, region_code, home_county, data::text AS data, occurred_at, sequence"
)
_WAITING: Final = f"SELECT {_COLUMNS} FROM events WHERE position IS NULL ORDER BY n, id LIMIT $1"
_ONE: Final = f"SELECT {_COLUMNS}, place FROM events WHERE id = $1 AND position > 0"

# Those that the release before announced, which gave them no number.
_NUMBER: Final = f"""
WITH said AS MATERIALIZED (
    SELECT id, subject_id, row_number() OVER (PARTITION BY subject_id ORDER BY n, id) AS turn
    FROM events WHERE id = ANY ($1::uuid[])
), {COUNTED}
SELECT id, sequence FROM numbered
"""

_PLACE: Final = """
WITH feed AS (
    INSERT INTO event_feed AS f (id, last) VALUES (1, cardinality($1::uuid[]))
    ON CONFLICT (id) DO UPDATE SET last = f.last + excluded.last RETURNING last
)
UPDATE events e SET position = feed.last - cardinality($1::uuid[]) + b.turn, place = b.place,
    sequence = b.sequence
FROM feed, unnest($1::uuid[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
    AS b (id, place, sequence, turn)
WHERE e.id = b.id
"""

# An event that names who may be told goes to them and nobody else. The others go to whom they name
# as `known_to`, wherever it happened; to those whose region it happened in; and a role bound to its
# own pupils hears of those that name its school, one without children's files of those that
# name its agency: closed unless the event says otherwise (AZ-3, AZ-8). An endpoint's region is a
# place: one that holds another is that place or stands above it. OFFSET: subscriptions are looked
# up, event by event; a join planned on what the policy lets through reads all of them. Ids are of a
# digest of a secret of this pass ($6): random numbers cost the server more than all else of a row.
_HAND_OUT: Final = f"""
WITH batch AS MATERIALIZED (
    SELECT v.id, v.wire_name, ARRAY[v.wire_name, split_part(v.wire_name, '.', 1) || '.*'] AS takes,
           v.subject_id, v.home_county, v.data, v.told_to, v.place, v.position, v.sequence, b.body
    FROM unnest($1::uuid[], $2::bytea[]) AS b (id, body) JOIN events v ON v.id = b.id
), named AS MATERIALIZED (
    SELECT b.id, b.takes, b.position, agency_id::uuid AS agency_id, 'any' AS relation
    FROM batch b CROSS JOIN LATERAL
        jsonb_array_elements_text(
            coalesce(b.told_to, nullif(b.data -> 'known_to', 'null'), '[]')) AS agency_id
    UNION
    SELECT b.id, b.takes, b.position, said.agency_id::uuid, said.relation
    FROM batch b CROSS JOIN LATERAL (VALUES (b.data ->> 'school_id', 'enrolled'),
        (b.data ->> 'agency_id', 'none')) AS said (agency_id, relation)
    WHERE b.told_to IS NULL AND said.agency_id IS NOT NULL
), kept AS (
    INSERT INTO event_named (agency_id, position, relation, event_id)
    SELECT agency_id, position, relation, id FROM named ON CONFLICT DO NOTHING
), due AS (
    SELECT b.id, s.endpoint_id, s.agency_id
    FROM batch b CROSS JOIN LATERAL (
        SELECT s.endpoint_id, s.agency_id FROM subscriptions s
        WHERE s.relation = 'region' AND s.wire_name = ANY (b.takes)
          AND s.region_code = ANY (ARRAY[{lineage_in_sql("b.place")}]) OFFSET 0) AS s
    WHERE b.told_to IS NULL
    UNION
    SELECT n.id, s.endpoint_id, s.agency_id
    FROM named n CROSS JOIN LATERAL (
        SELECT s.endpoint_id, s.agency_id FROM subscriptions s
        WHERE s.agency_id = n.agency_id AND s.wire_name = ANY (n.takes)
          AND (n.relation = 'any' OR s.relation = n.relation) OFFSET 0) AS s
), added AS (
    INSERT INTO webhook_deliveries
        (id, webhook_id, endpoint_id, agency_id, sequence, body, event_id, wire_name, ordering_key,
         region_code, home_county, delivery_class, state, attempts, replays_due, replayed_after,
         next_at, created_at)
    SELECT ($3 || substr(hex, 41, 3) || '8' || substr(hex, 44, 15))::uuid,
           'msg_' || translate(substr(encode(digest, 'base64'), 1, 27), '+/', '-_'),
           due.endpoint_id, due.agency_id, b.sequence, b.body, b.id, b.wire_name, b.subject_id,
           b.place, b.home_county, 'S', 'pending', 0, 0, 0, $4, $4
    FROM due JOIN batch b USING (id) CROSS JOIN LATERAL (
        SELECT sha256($6 || uuid_send(due.id) || uuid_send(due.endpoint_id)) AS digest
        OFFSET 0) AS d
    CROSS JOIN LATERAL (SELECT encode(d.digest, 'hex') AS hex OFFSET 0) AS h
    ON CONFLICT (event_id, endpoint_id) DO NOTHING RETURNING 1
), counted AS (SELECT count(*) AS deliveries FROM added)
SELECT deliveries, CASE WHEN deliveries > 0 THEN pg_notify($5, '') END FROM counted
"""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass handed out: events, and deliveries of them."""

    events: int
    deliveries: int


async def take_turn(tx: Tx) -> bool:
    """Be the one who hands out until the end of the transaction; False: somebody else is."""
    mine: bool = await tx.connection.fetchval(_ONE_AT_A_TIME)
    return mine


async def hand_out(tx: Tx, limit: int) -> Pass | None:
    """Hand out the next events that wait, at most `limit`, in the order of their commits. None if
    somebody else does so at this moment. One who hands out at a time: places have no gap, and who
    has read up to one has missed nothing before it.

    May hear: the agencies in the event's `told_to`, if it has one; else those its data names as
    `known_to`, endpoints whose region it lies in or, for roles that do not work on regions, those
    whose agency the event's data names as `school_id` or `agency_id`. The region is where the
    event's place is now: its code may have been replaced since. Raises PayloadTooLarge.
    """
    if not await take_turn(tx):
        return None
    rows = await tx.connection.fetch(_WAITING, limit)  # a snapshot of after the lock
    if not rows:
        return Pass(0, 0)
    places, sequences = await _place(tx, rows)
    bodies = [_body(row, places[row["id"]], sequences[row["id"]]) for row in rows]
    return Pass(len(rows), await _deliver(tx, [row["id"] for row in rows], bodies))


async def set_aside(tx: Tx) -> UUID:
    """Give the first event that waits its place without handing it out; return its id. For whoever
    has the turn.
    """
    [row] = await tx.connection.fetch(_WAITING, 1)
    await _place(tx, [row])
    event_id: UUID = row["id"]
    return event_id


async def hand_out_one(tx: Tx, event_id: UUID) -> None:
    """Hand out an event that was set aside. Does nothing to one that still waits for its turn."""
    row = await tx.connection.fetchrow(_ONE, event_id)
    if row is not None:
        await _deliver(tx, [event_id], [_body(row, row["place"], row["sequence"])])


async def _place(tx: Tx, rows: Sequence[asyncpg.Record]) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Give events their places in the feed, in this order; return by id where each happened, by the
    code of today, and its number.
    """
    ids = [row["id"] for row in rows]
    now = await regions.current_of(tx, (row["region_code"] for row in rows), tx.today)
    places = {row["id"]: now.get(row["region_code"], row["region_code"]) for row in rows}
    sequences = {row["id"]: row["sequence"] for row in rows}
    if unnumbered := [each for each in ids if sequences[each] is None]:
        sequences.update(await tx.connection.fetch(_NUMBER, unnumbered))
    await tx.connection.execute(
        _PLACE, ids, [places[each] for each in ids], [sequences[each] for each in ids]
    )
    return places, sequences


async def _deliver(tx: Tx, ids: Sequence[UUID], bodies: Sequence[bytes]) -> int:
    milliseconds = int(tx.now.timestamp() * 1000)
    row = await tx.connection.fetchrow(
        _HAND_OUT, ids, bodies, f"{milliseconds:012x}7", tx.now, CHANNEL, secrets.token_bytes(32)
    )
    count: int = row["deliveries"]
    return count


def _body(row: Mapping[str, Any], place: int, sequence: int) -> bytes:
    facts = {
        **orjson.loads(row["data"]),
        "region_code": region_text(place),
        "home_county": region_text(row["home_county"]),
        "event_id": str(row["id"]),
        "sequence": sequence,
    }
    return body_of(row["wire_name"], row["occurred_at"], facts)
