"""`Idempotency-Key` on every write: same key, same answer, in the same transaction (I3, REL-2).

A key belongs to one caller and one operation. The stored answer is encrypted, since it may hold
a child's data. A second request with the same key waits for the first one's transaction.
"""

import hashlib
import re
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

import orjson
from pydantic import TypeAdapter
from sqlmodel import Field, SQLModel
from starlette.requests import Request
from starlette.responses import Response

from app.core.data import rls
from app.core.data.columns import Instant
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.core.problems import Problem

_PLACE = "idempotency_keys.answer"
_SAYS_WHAT_TO_DO = ("if-match", "prefer")
"""Headers that are part of the request a key stands for, as path and body are."""
_KEPT_HEADERS = ("etag", "location", "content-type")
_SEEN = TypeAdapter(Seen)
_AGAIN = {"decision": "allowed", "rule": "idempotency-replayed"}
"""Of an answer given again: it shows whom it is about once more."""


class IdempotencyKeyReused(Problem, status=422):
    """The key was used with another path, body, If-Match or Prefer."""

    title = "This Idempotency-Key was used with another request"
    title_zh = "该 Idempotency-Key 已用于不同的请求"


class IdempotencyKeyInvalid(Problem, status=400):
    """The header is not a usable key."""

    title = "The Idempotency-Key header is not usable"
    title_zh = "Idempotency-Key 请求头无法使用"


class StoredAnswer(SQLModel, table=True):
    """One key and the answer given for it."""

    __tablename__ = "idempotency_keys"

    caller: str = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_sha256: bytes
    answer: bytes | None = None
    created_at: datetime = Field(index=True, sa_type=Instant)


rls.protect(
    "idempotency_keys",
    using=f"caller = {rls.CALLER} OR {rls.SYSTEM}",
    privileges="SELECT, INSERT, UPDATE, DELETE",
)


class Claim(NamedTuple):
    """A key this transaction holds and must store the answer for."""

    caller: str
    operation: str
    key: str

    @property
    def place(self) -> str:
        """The row its answer is sealed for."""
        return "/".join(self)


class Replayed(Exception):
    """The answer is known already: give it again instead of doing the work."""

    def __init__(self, response: Response, seen: Seen) -> None:
        super().__init__("replayed")
        self.response = response
        self.seen = seen


def key_of(request: Request) -> str | None:
    """Read the header: a bare token or a quoted structured-field string (draft-06), same key."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    match = re.fullmatch(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"|([!#-~]{1,200})', values[0])
    if len(values) > 1 or match is None:
        detail = "Send one key of 1 to 200 visible ASCII characters."
        raise IdempotencyKeyInvalid.at("Idempotency-Key", "idempotency_key_invalid", detail)
    return match[1] or match[2]


async def claim(tx: Tx, request: Request, *, caller: str, operation: str) -> None:
    """Hold the request's key for this transaction, or raise Replayed with the stored answer.

    Raises IdempotencyKeyReused if the same key came with another path, body, If-Match or Prefer.
    """
    key = key_of(request)
    if key is None:
        return
    said = [request.headers.get(name) for name in _SAYS_WHAT_TO_DO]
    named = orjson.dumps([request.url.path, *said])
    digest = hashlib.sha256(named + b"\0" + await request.body()).digest()
    wanted = Claim(caller, operation, key)
    held = await tx.connection.execute(
        "INSERT INTO idempotency_keys (caller, operation, key, body_sha256, created_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        *wanted,
        digest,
        tx.now,
    )
    if held == "INSERT 0 1":
        tx.idempotency = wanted
        return
    stored = await tx.connection.fetchrow(
        "SELECT body_sha256, answer FROM idempotency_keys"
        " WHERE caller = $1 AND operation = $2 AND key = $3",
        *wanted,
    )
    if stored is None or stored["body_sha256"] != digest:
        raise IdempotencyKeyReused
    kept = orjson.loads(tx.keyring.unseal_bytes(_PLACE, wanted.place, stored["answer"]))
    raise Replayed(
        Response(
            kept["body"].encode("latin-1"),
            status_code=kept["status"],
            headers={**kept["headers"], "idempotency-replayed": "true"},
        ),
        _SEEN.validate_python({**kept["seen"], **_AGAIN}),
    )


async def keep(tx: Tx, response: Response, seen: Seen) -> None:
    """Store the answer of a claimed key and whom it is about, in the transaction that did the
    work.
    """
    held: Claim | None = tx.idempotency
    if held is None:
        return
    kept = {
        "seen": asdict(seen),
        "status": response.status_code,
        "headers": {
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        },
        "body": bytes(response.body).decode("latin-1"),
    }
    await tx.connection.execute(
        "UPDATE idempotency_keys SET answer = $4 WHERE caller = $1 AND operation = $2 AND key = $3",
        *held,
        tx.keyring.seal(_PLACE, held.place, orjson.dumps(kept, default=str)),
    )
