"""The bare limit: no framework, hand-written SQL on asyncpg, the same checks and the same bytes.

What each path owes is done: the token is verified, the caller's authority read and row-level
security set to it, one transaction committed before the answer, one audit row; a file's sections
are unsealed and a list's lines made of its rows. What Tonghu does besides is not: nothing derived
or permitted is worked out, no body held against a schema, no limit, log line or count.
Written for one machine that may call; `python -m bench` says what it is given.
"""

import os
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from app.access import queries, tokens
from app.children.child_keys import KEY_OF_FILE
from app.children.sections import SECTIONS
from app.core import startup
from app.core.clock import local_date, utc_now
from app.core.data import keys
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from app.core.settings import Settings

_AUDIT = """
WITH whose AS (INSERT INTO audit_children (entry_id, child_ids) VALUES ($1, $7))
INSERT INTO audit_entries (id, at, actor, client_id, agency_id, role, region_code, purpose,
    request_id, operation, child_ids, subject_id, beside_ids, field_groups, decision)
VALUES ($1, now(), $2, $3, $4, $5, $6, $8, 'bare', $9, $7, $10, '{}', '{}', 'allowed')
"""
_CHILD = (
    f"SELECT c.*, {KEY_OF_FILE} FROM children c"
    " WHERE c.id = $1 AND c.region_code >= $2 AND c.region_code < $3"
)
_LIST = """
SELECT id, version, updated_at, name, name_pinyin, sex, birth_date, region_code, categories,
    priority_flags, undecided, counted, lacking, derived_on, told
FROM children WHERE region_code >= $1 AND region_code < $2 ORDER BY region_code, id LIMIT 51
"""
_VISIT = """
WITH child AS (
    SELECT id, home_county, region_code, school_id FROM children
    WHERE id = $2 AND region_code >= $3 AND region_code < $4 FOR SHARE
), stored AS (
    INSERT INTO visits (id, child_id, home_county, region_code, pupil_of, visited_in, agency_id,
        as_role, version, received_at, updated_at, called, content_mac, visited_on, visitor_type,
        place, channel, abnormal, findings, policies_explained)
    SELECT $1, id, home_county, region_code, school_id, region_code, $5, $6, 1, now(), now(), $2,
        $7, $8::date, 'social_worker', 'home', 'in_person', false, $9::jsonb, '{}' FROM child
    RETURNING *
), told AS (
    INSERT INTO subject_sequences (subject_id, last) SELECT id, 1 FROM stored
), said AS (
    INSERT INTO events (id, wire_name, subject_id, sequence, region_code, home_county, data,
        told_to, occurred_at)
    SELECT gen_random_uuid(), 'visits.visit_recorded', id, 1, region_code, home_county, $9::jsonb,
        '[]', now() FROM stored
)
INSERT INTO jobs (name, payload, run_at)
SELECT unnest('{a,b,c,d,e}'::text[]), $9::jsonb, now() + interval '1 day' FROM stored
"""
_BATCH = """
WITH said AS (
    SELECT u.*, c.home_county, c.region_code, c.school_id, gen_random_uuid() AS row_id
    FROM json_to_recordset($1::text::json) AS u (source text, id text, student json,
        school_day date, session text, category text, time timestamptz)
    JOIN children c ON c.id = (u.student ->> 'child_id')::uuid AND c.school_id = $2
), stored AS (
    INSERT INTO attendance_events (id, home_county, child_id, region_code, pupil_of, source,
        event_id, content_sha256, school_day, session, category, happened_at, sequence, batch_id,
        received_at, agency_id)
    SELECT row_id, home_county, (student ->> 'child_id')::uuid, region_code, school_id, source, id,
        sha256(id::bytea), school_day, session, category, time, 0, $3, now(), $2 FROM said
    ON CONFLICT DO NOTHING RETURNING *
)
INSERT INTO attendance_slots AS s (home_county, child_id, school_day, session, region_code,
    pupil_of, category, sequence, happened_at, event_row_id, school_id, batch_id, updated_at)
SELECT home_county, child_id, school_day, session, region_code, pupil_of, category, sequence,
    happened_at, id, agency_id, batch_id, now() FROM stored
ON CONFLICT (home_county, child_id, school_id, school_day, session) DO UPDATE SET
    category = EXCLUDED.category, happened_at = EXCLUDED.happened_at,
    event_row_id = EXCLUDED.event_row_id, batch_id = EXCLUDED.batch_id, updated_at = now()
WHERE EXCLUDED.happened_at >= s.happened_at RETURNING child_id
"""
_RECEIPT = """
INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)
VALUES ($1, $2, 'bare', $3, now())
"""
_SEALED = {section: f"{section}_sealed" for section in SECTIONS}
_PLAIN = ("hukou", "residence", "guardianship", "education")
_IDENTITY = ("name", "name_pinyin", "sex", "birth_date")
_DERIVED = ("categories", "priority_flags", "undecided", "counted", "lacking", "told")
Answer = tuple[int, Any, str, UUID | None, list[UUID]]
"""Status, what is said, the operation, its subject, and whom it shows."""


async def _child(connection: Any, who: Any, path: str, body: bytes, shown: Any) -> Answer:
    child_id = UUID(path.rpartition("/")[2])
    row = await connection.fetchrow(_CHILD, child_id, who["remit_lo"], who["remit_hi"])
    said = {**shown, "version": row["version"], "updated_at": row["updated_at"]}
    ring = who["keyring"].anew()
    keys.brought(ring, of_child(child_id), row)
    for section, column in _SEALED.items():
        if row[column] is not None:
            raw = ring.unseal_bytes(f"children.{column}", child_id, row[column])
            said[section] = {**shown[section], **orjson.loads(raw)}
    for section in _PLAIN:
        said[section] = {**said[section], **orjson.loads(row[section])}
    return 200, said, "readChild", child_id, [child_id]


async def _list(connection: Any, who: Any, path: str, body: bytes, shown: Any) -> Answer:
    rows = (await connection.fetch(_LIST, who["remit_lo"], who["remit_hi"]))[:50]
    like = shown["items"][0]
    items = [
        {
            **like,
            **{name: row[name] for name in ("id", "version", "updated_at")},
            "identity": {name: row[name] for name in _IDENTITY},
            "residence": {"region_code": f"{row['region_code']:012d}"},
            "derived": {**like["derived"], **{name: row[name] for name in _DERIVED}},
        }
        for row in rows
    ]
    return 200, {**shown, "items": items}, "listChildren", None, [row["id"] for row in rows]


async def _visit(connection: Any, who: Any, path: str, body: bytes, shown: Any) -> Answer:
    said = orjson.loads(body)
    visit_id, child_id = UUID(said["id"]), UUID(said["child_id"])
    remit = who["remit_lo"], who["remit_hi"]
    day = local_date(utc_now())
    findings = orjson.dumps(said["findings"]).decode()
    whose = who["agency_id"], who["role"]
    await connection.execute(_VISIT, visit_id, child_id, *remit, *whose, b"m" * 32, day, findings)
    return 201, {**shown, "id": said["id"]}, "recordVisit", visit_id, [child_id]


async def _batch(connection: Any, who: Any, path: str, body: bytes, shown: Any) -> Answer:
    events = orjson.loads(body)["events"]
    batch_id, school = uuid4(), who["agency_id"]
    rows = await connection.fetch(_BATCH, orjson.dumps(events).decode(), school, batch_id)
    results = [
        {**shown["results"][0], "index": place, "source": each["source"], "id": each["id"]}
        for place, each in enumerate(events)
    ]
    answer = {**shown, "batch_id": batch_id, "results": results}
    await connection.execute(_RECEIPT, batch_id, school, orjson.dumps(answer))
    return 202, answer, "pushAttendanceEvents", batch_id, sorted({row[0] for row in rows})


_DO: dict[str, Callable[..., Awaitable[Answer]]] = {
    "child": _child,
    "children": _list,
    "visits": _visit,
    "attendance-events": _batch,
}


class Bare:
    """The app. `BENCH_ANSWERS`: what Tonghu answered to each, as JSON, by the names above."""

    def __init__(self) -> None:
        settings = Settings()
        self.keyring = startup.keyring(settings)
        of = settings.tokens
        self.keys = tokens.token_keys(self.keyring.signing, issuer=of.issuer, audience=of.audience)
        self.shown = orjson.loads(os.environ["BENCH_ANSWERS"])
        self.pool: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        status, said = 200, b"{}"
        if scope["path"] != "/livez":
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            status, said = await self._answer(scope, body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    async def _answer(self, scope: Any, body: bytes) -> tuple[int, bytes]:
        sent = dict(scope["headers"])
        token = sent[b"authorization"].decode().partition(" ")[2]
        claims = tokens.verify(self.keys, token, now=utc_now())
        path = scope["path"].removeprefix("/v1/")
        name = "child" if path.startswith("children/") else path
        async with self.pool.acquire() as connection, connection.transaction():
            tx: Any = SimpleNamespace(connection=connection, today=local_date(utc_now()))
            relation = "enrolled" if claims.role == "school_system" else "region"
            reach = await queries.open_reach(tx, claims, relation=relation)
            who = {**reach, "keyring": self.keyring}
            do = _DO[name]
            status, said, operation, subject, children = await do(
                connection, who, path, body, self.shown[name]
            )
            await connection.execute(
                _AUDIT,
                new_id(),
                claims.subject,
                UUID(claims.client_id),
                who["agency_id"],
                claims.role,
                who["region_code"],
                children,
                sent[b"purpose-of-use"].decode(),
                operation,
                subject,
            )
        return status, orjson.dumps(said, default=str)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self.pool = await asyncpg.create_pool(
            os.environ["BENCH_DATABASE"],
            min_size=10,
            max_size=10,
            reset=_nothing,
            statement_cache_size=500,
            server_settings={"jit": "off"},
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _nothing(_: asyncpg.Connection) -> None:
    """There is nothing to reset: settings are local to the transaction."""
