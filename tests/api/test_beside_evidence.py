"""No key and no query refuses evidence: it is known again by its ids and what it says."""

import copy
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.api.world import CANARY, WRITES, World

EVIDENCE = ("createChild", "recordVisit", "pushAttendanceEvents", "fileReport")
"""What is known again by its ids and what it says: nothing that points at it refuses it."""
TABLES = dict(
    zip(EVIDENCE, ("children", "visits", "attendance_events", "police_reports"), strict=True)
)
NO_KEYS = ["", "a" * 201, "schlüssel".encode(), "two words", '"open']


@pytest.mark.parametrize("name", sorted({*WRITES}.difference(EVIDENCE)))
async def test_key_used_with_another_body(world: World, name: str) -> None:
    key = {"idempotency_key": CANARY}
    assert (await world.send(name, **key)).is_success
    other = json.dumps(world.writes[name].body).encode() + b" "
    document = await world.refused(name, other, status=422, **key)
    assert document["type"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize("key", NO_KEYS, ids=str)
async def test_key_that_is_none(world: World, key: Any) -> None:
    """A key is one visible word (RFC 8941 allows it in quotes)."""
    document = await world.refused("correctVisit", status=400, idempotency_key=key)
    assert document["type"] == "/problems/idempotency-key-invalid"


async def test_query_nobody_knows(world: World, monkeypatch) -> None:
    write = world.writes["correctVisit"]
    asking = replace(write, path=f"{write.path}?foo=1")
    monkeypatch.setitem(world.writes, "correctVisit", asking)
    await world.refused("correctVisit", status=400)


def _others(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Say something else, or of somebody else, of which nothing has been kept yet."""
    other = copy.deepcopy(body)
    if name == "createChild":
        other["identity"] |= {"name": "样小七", "resident_id": None}
        other["education"]["student_numbers"] = []
    elif name == "pushAttendanceEvents":
        other["events"][0]["id"] = CANARY
    else:
        other |= {"id": str(uuid4())}
    return other


@pytest.mark.parametrize("name", EVIDENCE)
async def test_neither_a_key_nor_a_query_refuses_evidence(
    world: World, name: str, monkeypatch
) -> None:
    """A key that is another's counts as none, and so does one that is none; the same again under
    the key of its own, however it is written, is answered as it was: a retry is recognised.
    """
    write, key = world.writes[name], {"idempotency_key": CANARY}
    first = await world.send(name, **key)
    asking = replace(write, path=f"{write.path}?foo=1&foo=2")
    monkeypatch.setitem(world.writes, name, asking)
    before = await world.rows()
    other = _others(name, write.body)
    answer = await world.send(name, other, **key)
    assert answer.status_code == first.status_code, answer.text
    assert "idempotency-replayed" not in answer.headers
    for said, answered in ((write.body, first), (other, answer)):
        for content in (None, json.dumps(said, indent=1).encode()):
            again = await world.send(name, content or said, **key)
            assert (again.status_code, again.content) == (first.status_code, answered.content)
            assert again.headers["idempotency-replayed"] == "true"
    table = TABLES[name]
    assert (await world.rows())[table] == before[table] + 1


@pytest.mark.parametrize(
    "dress",
    [
        {"content_type": None},
        {"content_type": ""},
        {"content_type": "text/plain;charset=UTF-8"},
        {"content_type": "application/x-www-form-urlencoded"},  # as curl and many phones send
        {"content_type": "json"},
        {"prefer": "a" * 300},
        {"prefer": "schlüssel".encode()},
        {"prefer": ""},
        {"purpose_of_use": None},
        {"purpose_of_use": "supervision"},  # for which the role may use nothing
        {"purpose_of_use": "schlüssel".encode()},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", EVIDENCE)
async def test_no_header_refuses_evidence(world: World, name: str, dress: dict[str, Any]) -> None:
    """Evidence is not refused for its dress: what it is called, or a wish beside it."""
    answer = await world.send(name, **dress)
    assert answer.is_success, answer.text
    async with world.database.begin(SYSTEM) as tx:
        purpose = await tx.connection.fetchval(
            "SELECT purpose FROM audit_entries WHERE operation = $1 ORDER BY id DESC LIMIT 1", name
        )
    kept = None if "purpose_of_use" in dress else str(world.writes[name].caller.purpose)
    assert purpose == kept


@pytest.mark.parametrize("key", [*NO_KEYS, "a" * 300], ids=str)
async def test_no_key_refuses_a_visit(world: World, key: Any) -> None:
    assert (await world.send("recordVisit", idempotency_key=key)).status_code == 201
