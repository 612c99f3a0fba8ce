"""`Idempotency-Key` on every write: same key, same answer, in the same transaction (I3, REL-2).

A key belongs to one caller and one operation. The stored answer is encrypted, since it may hold
a child's data, and kept for as long as the policy says (`retention.idempotency_keys`): later the
key is new. A second request with the same key waits for the first one's transaction. Evidence
(`Input.evidence`) is known again without a key: one that cannot be used refuses none of it.
"""

import hashlib
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlmodel import Field, SQLModel
from starlette.requests import Request
from starlette.responses import Response

from app.core.data import backups, distribution, retention, rls, sealed
from app.core.data.columns import Instant
from app.core.data.db import Tx
from app.core.data.sql import insert
from app.core.http import strict_json
from app.core.http.shown import Seen
from app.core.problems import Problem

_PLACE = "idempotency_keys.answer"
_RECEIPT = b"\x00"
"""Before what a process kept that has no key to seal it with (ADR 62): an id and a time, that
whichever process is asked tells again.
"""
_SAYS_WHAT_TO_DO = ("if-match", "prefer")
"""Headers that are part of the request a key stands for, as path and body are."""
_PLAIN = "application/json"
_HEADER = b"idempotency-key"
_KEPT_HEADERS = ("etag", "location", "content-type", "preference-applied")
_KEY = ("caller", "operation", "key")
_STORED = """
SELECT body_sha256, answer FROM idempotency_keys WHERE caller = $1 AND operation = $2 AND key = $3
"""
_HIDDEN = "SELECT EXISTS (SELECT FROM hidden_subjects WHERE subject_id = ANY($1::uuid[]))"
"""Of what is hidden from the caller: row-level security shows them no other."""
_OTHER: Mapping[str, Any] = {}
Again = Callable[[Tx, UUID, Mapping[str, str]], Awaitable[bytes]]
"""Writes once more what was answered about a subject, with these headers."""

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


class AnswerOutOfSight(Problem, status=410, denies=True):
    """The request was done when it came first; its answer shows whom the caller sees no more."""

    title = "This was done; its answer is no longer yours to see"
    title_zh = "该请求此前已完成;其内容您已无权查看"


class StoredAnswer(SQLModel, table=True):
    """One key and the answer given for it."""

    __tablename__ = "idempotency_keys"
    caller: str = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_sha256: bytes
    answer: bytes | None = None
    created_at: datetime = Field(index=True, sa_type=Instant)


distribution.in_one_place("a key is claimed where the request arrives", "idempotency_keys")
rls.protect(
    "idempotency_keys",
    using=f"caller = {rls.CALLER} OR {rls.SYSTEM}",
    privileges="SELECT, INSERT, UPDATE, DELETE",
)
backups.leave_out("an answer is remembered for thirty days", "idempotency_keys")
retention.keep("idempotency_keys", by="created_at", along="created_at")


class Claim(NamedTuple):
    """A key this transaction holds and must store the answer for."""

    caller: str
    operation: str
    key: str
    authority: str
    content: str | None
    """What evidence says, digested."""

    @property
    def place(self) -> str:
        """The row its answer is sealed for."""
        return "/".join(self[:3])


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


def count_as_none_if_unusable(request: Request) -> None:
    """Let evidence be read as if it came without a key, if that is none or it has two; of one that
    was used with another request no more is asked than what it says (`claim`).
    """
    scope = request.scope
    scope["key_refuses"] = False
    try:
        key_of(Request(scope))
    except IdempotencyKeyInvalid:
        rest = [(name, said) for name, said in scope["headers"] if name != _HEADER]
        scope["headers"] = rest


async def claim(tx: Tx, request: Request, *, caller: str, operation: str, authority: str) -> None:
    """Hold the request's key for this transaction, or raise Replayed with the stored answer.

    `authority`: what the caller's rights come from. Evidence is known by the key and by what it
    says, however the JSON is written. Raises IdempotencyKeyReused if the same key came with another
    path, body, If-Match or Prefer, unless this is evidence; AnswerOutOfSight if the authority is
    another now, one of the children it could see then is visible no more (AZ-3), or what the answer
    tells of is hidden from the caller by now (AZ-8). What the path names is asked later: the answer
    is left in the request's scope, for the route to give in the endpoint's place.
    A receipt shows nobody: who files a report and loses the line hears that it was taken in,
    whoever is suspected since.
    """
    key = key_of(request)
    if key is None:
        return
    digest, content = await _digest(request), await _content(request)
    wanted = Claim(caller, operation, key, authority, content)
    kept = await _kept_for(tx, wanted, digest)
    if kept is _OTHER and content is not None:  # known by the key and by what it says
        wanted = wanted._replace(key=f"{key}\n{content}")
        kept = await _kept_for(tx, wanted, digest)
    if kept is None:
        tx.idempotency = wanted
        return
    if kept is _OTHER:
        raise IdempotencyKeyReused
    seen = _SEEN.validate_python({**kept["seen"], **_AGAIN})
    if not kept.get("receipt") and await _out_of_sight(tx, kept, seen, authority):
        raise AnswerOutOfSight(children=seen.children)
    if kept["body"] is None:
        body = await _again(request)(tx, seen.subject, kept["headers"])
    else:
        body = kept["body"].encode("latin-1")
    headers = {**kept["headers"], "idempotency-replayed": "true"}
    replayed = Replayed(Response(body, status_code=kept["status"], headers=headers), seen)
    if kept.get("receipt"):
        raise replayed
    # What the path names is looked up before it is given: if that is no more theirs to see, it is
    # `AnswerOutOfSight`, as the route says (`out_of_sight`).
    request.scope["instead"] = replayed


def _again(request: Request) -> Any:
    """Return what writes the answers of a route that keeps them itself (`routing.kept_by`)."""
    return getattr(request.scope["route"].endpoint, "again", None)


async def _digest(request: Request) -> bytes:
    said: list[str | None] = [
        ", ".join(request.headers.getlist(name)) or None for name in _SAYS_WHAT_TO_DO
    ]
    media_type = request.headers.get("content-type", _PLAIN).partition(";")[0].strip().lower()
    if media_type != _PLAIN:  # a batch of CloudEvents reads otherwise; a charset changes nothing
        said.append(media_type)
    named = orjson.dumps([request.url.path, *said])
    return hashlib.sha256(named + b"\0" + await request.body()).digest()


async def _content(request: Request) -> str | None:
    """Digest what evidence says, however it is written; None: this is none."""
    if request.scope.get("key_refuses", True):
        return None
    said, replaced = await request.json(), dict[str, Any]()
    if not request.scope.get("plain_json", False):
        said = strict_json.storable(said, replaced)
    told = [said, replaced] if replaced else said  # what was said twice, and no number, too
    said = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(request.url.path.encode() + b"\0" + said).hexdigest()


async def _kept_for(tx: Tx, wanted: Claim, digest: bytes) -> Mapping[str, Any] | None:
    """Hold a key, or return what is kept of its answer; _OTHER if that is to something else."""
    row = {**dict(zip(_KEY, wanted, strict=False)), "body_sha256": digest, "created_at": tx.now}
    if await insert(tx.connection, "idempotency_keys", row, unless_taken=True):
        return None
    stored = await tx.connection.fetchrow(_STORED, *wanted[:3])
    if stored is None:  # pragma: no cover  taken up at this moment
        return _OTHER
    if stored["answer"][:1] == _RECEIPT:
        said = stored["answer"][1:]
    elif tx.keyring.is_for_intake and stored["body_sha256"] != digest:  # and cannot be opened here
        return _OTHER
    else:
        said = tx.keyring.unseal_bytes(_PLACE, wanted.place, stored["answer"])
    # As releases before kept it, or packed.
    kept: dict[str, Any] = orjson.loads(said if said[:1] == b"{" else zlib.decompress(said))
    same = stored["body_sha256"] == digest
    return kept if same or (wanted.content and kept.get("content") == wanted.content) else _OTHER


async def _out_of_sight(tx: Tx, kept: Mapping[str, Any], seen: Seen, authority: str) -> bool:
    if kept.get("authority", authority) != authority:
        return True
    told_of = [each for each in (seen.subject, *seen.beside) if each is not None]
    if told_of and await tx.connection.fetchval(_HIDDEN, told_of):
        return True
    return bool(set(kept.get("visible", ())).difference(await _visible(tx, seen)))


def out_of_sight(request: Request, problem: Problem) -> Problem:
    """Return what is answered if, before a kept answer is given, a problem arises: that there is
    nothing of what the path names, for this caller, or not any more.
    """
    waiting: Replayed | None = request.scope.get("instead")
    if waiting is None or problem.status != HTTPStatus.NOT_FOUND:
        return problem
    return AnswerOutOfSight(children=waiting.seen.children)


async def _visible(tx: Tx, seen: Seen) -> list[str]:
    """Return those of the children whom row-level security shows the caller now."""
    if not seen.children:
        return []
    rows = await tx.connection.fetch(
        "SELECT id FROM children WHERE id = ANY($1::uuid[])", seen.children
    )
    return [str(row["id"]) for row in rows]


async def keep(tx: Tx, request: Request, response: Response, seen: Seen, *, receipt: bool) -> None:
    """Store a claimed key's answer and whom it is about, in the transaction that did the work."""
    held: Claim | None = tx.idempotency
    if held is None:
        return
    elsewhere = seen.subject is not None and _again(request) is not None
    kept = {
        "seen": asdict(seen),
        "authority": held.authority,
        "content": held.content,
        "receipt": receipt,
        "visible": [] if receipt else await _visible(tx, seen),
        "status": response.status_code,
        "headers": {
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        },
        "body": None if elsewhere else bytes(response.body).decode("latin-1"),
    }
    packed = zlib.compress(orjson.dumps(kept, default=str), 1)
    plain = receipt and tx.keyring.is_for_intake
    await tx.connection.execute(
        "UPDATE idempotency_keys SET answer = $4 WHERE caller = $1 AND operation = $2 AND key = $3",
        *held[:3],
        _RECEIPT + packed if plain else tx.keyring.seal(_PLACE, held.place, packed),
    )


sealed.under_service(
    "idempotency_keys",
    {"answer": _PLACE},
    row="concat_ws('/', t.caller, t.operation, t.key)",
    days=30,
)
