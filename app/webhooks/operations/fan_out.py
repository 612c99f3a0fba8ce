"""Hand events out: each gets its place in the feed, and a delivery to whoever may hear of it."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.roles import roles
from app.agencies.queries import lineage_in_sql
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, owner_of
from app.core.http.wire import region_text
from app.core.jobs.case_codes import with_codes
from app.core.jobs.events import COUNTED, readers_of
from app.regions import queries as regions
from app.webhooks.models import BODY_PLACE
from app.webhooks.operations.deliveries import CHANNEL, body_of

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('webhooks/fan_out', 32))"
_COLUMNS: Final = (
    "id, wire_name, subject_id, region_code, home_county, data, codes_sealed, occurred_at, sequence"
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

# With the place, so that who has read past it knew where to look.
_NAME: Final = """
INSERT INTO event_named (agency_id, position, relation, event_id)
SELECT said.agency_id, e.position, said.relation, e.id FROM events e CROSS JOIN LATERAL (
    SELECT agency_id::uuid, 'any' AS relation FROM jsonb_array_elements_text(
        coalesce(e.told_to, nullif(e.data -> 'known_to', 'null'), '[]')) AS agency_id
    UNION
    SELECT said.agency_id::uuid, said.relation FROM (VALUES (e.data ->> 'school_id', 'enrolled'),
        (e.data ->> 'agency_id', 'none')) AS said (agency_id, relation)
    WHERE e.told_to IS NULL AND said.agency_id IS NOT NULL) AS said
WHERE e.id = ANY ($1::uuid[]) ON CONFLICT DO NOTHING
"""

# An event that names who may be told goes to them and nobody else. The others go to whom they name
# as `known_to`, wherever it happened; to those whose region it happened in; and a role bound to its
# own pupils hears of those that name its school, one without children's files of those that
# name its agency: closed unless the event says otherwise (AZ-3, AZ-8). An endpoint's region is a
# place: one that holds another is that place or stands above it. OFFSET: subscriptions are looked
# up, event by event; a join planned on what the policy lets through reads all of them. Ids are of a
# digest of a secret of this pass ($6): random numbers cost the server more than all else of a row.
# Who is told of what a role reads alone: an agency of a kind that has the role.
_READS: Final = """({0} IS NULL OR EXISTS (
        SELECT FROM agencies a WHERE a.id = s.agency_id AND a.kind = ANY ({0}) OFFSET 0))"""
_HAND_OUT: Final = f"""
WITH batch AS MATERIALIZED (
    SELECT v.id, v.wire_name, ARRAY[v.wire_name, split_part(v.wire_name, '.', 1) || '.*'] AS takes,
           v.subject_id, v.home_county, v.told_to, v.place, v.position, v.sequence, b.body,
           string_to_array(b.kinds, ',') AS kinds
    FROM unnest($1::uuid[], $2::bytea[], $7::text[]) AS b (id, body, kinds)
    JOIN events v ON v.id = b.id
), named AS MATERIALIZED (
    SELECT n.agency_id, n.relation, b.id, b.takes, b.kinds
    FROM batch b JOIN event_named n ON n.event_id = b.id AND n.position = b.position
), due AS (
    SELECT b.id, s.endpoint_id, s.agency_id
    FROM batch b CROSS JOIN LATERAL (
        SELECT s.endpoint_id, s.agency_id FROM subscriptions s
        WHERE s.relation = 'region' AND s.wire_name = ANY (b.takes)
          AND s.region_code = ANY (ARRAY[{lineage_in_sql("b.place")}]) OFFSET 0) AS s
    WHERE b.told_to IS NULL AND {_READS.format("b.kinds")}
    UNION
    SELECT n.id, s.endpoint_id, s.agency_id
    FROM named n CROSS JOIN LATERAL (
        SELECT s.endpoint_id, s.agency_id FROM subscriptions s
        WHERE s.agency_id = n.agency_id AND s.wire_name = ANY (n.takes)
          AND (n.relation = 'any' OR s.relation = n.relation) OFFSET 0) AS s
    WHERE n.relation <> 'enrolled' OR {_READS.format("n.kinds")}
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
    found = await tx.connection.fetch(_WAITING, limit)  # a snapshot of after the lock
    if not found:
        return Pass(0, 0)
    rows = await with_codes(tx, found)
    places, sequences = await _place(tx, rows)
    await tx.connection.execute(_NAME, [row["id"] for row in rows])
    bodies = [_body(row, places[row["id"]], sequences[row["id"]]) for row in rows]
    return Pass(len(rows), await _deliver(tx, rows, bodies))


async def set_aside(tx: Tx) -> UUID:
    """Give the first event that waits its place without handing it out; return its id. For whoever
    has the turn.
    """
    [row] = await tx.connection.fetch(_WAITING, 1)
    await _place(tx, [row])
    event_id: UUID = row["id"]
    with suppress(asyncpg.DataError):  # whom it names may be what is wrong with it
        async with tx.connection.transaction():
            await tx.connection.execute(_NAME, [event_id])
    return event_id


async def hand_out_one(tx: Tx, event_id: UUID) -> None:
    """Hand out an event that was set aside. Does nothing to one that still waits for its turn."""
    row = await tx.connection.fetchrow(_ONE, event_id)
    if row is not None:
        [row] = await with_codes(tx, [row])
        await _deliver(tx, [row], [_body(row, row["place"], row["sequence"])])


async def _place(
    tx: Tx, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[UUID, int], dict[UUID, int]]:
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


async def _deliver(tx: Tx, rows: Sequence[Mapping[str, Any]], bodies: Sequence[bytes]) -> int:
    row = await tx.connection.fetchrow(
        _HAND_OUT,
        [row["id"] for row in rows],
        [_sealed(tx, *each) for each in zip(rows, bodies, strict=True)],
        f"{int(tx.now.timestamp() * 1000):012x}7",
        tx.now,
        CHANNEL,
        secrets.token_bytes(32),
        [_kinds(row) for row in rows],
    )
    count: int = row["deliveries"]
    return count


def _sealed(tx: Tx, row: Mapping[str, Any], body: bytes) -> bytes:
    """Seal a body if something is in the event, under the same key."""
    if row["codes_sealed"] is None:
        return body
    try:
        return tx.keyring.seal(BODY_PLACE, row["id"], body, owner_of(row["codes_sealed"]))
    except Erased:  # and with it what the body would tell
        return body


def _kinds(row: Mapping[str, Any]) -> str | None:
    """Return the kinds of agencies that have a role which reads the event; None: all."""
    readers = readers_of(row["wire_name"], row["data"])
    if readers is None:
        return None
    return ",".join(sorted({kind for code in readers for kind in roles()[code].agency_kinds}))


def _body(row: Mapping[str, Any], place: int, sequence: int) -> bytes:
    facts = {
        **row["data"],
        "region_code": region_text(place),
        "home_county": region_text(row["home_county"]),
        "event_id": str(row["id"]),
        "sequence": sequence,
    }
    return body_of(row["wire_name"], row["occurred_at"], facts)
