"""Same key, same answer; another body, refused; all in one transaction (I3, REL-2)."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from app.api import answers
from app.core.data.db import Database
from app.core.http import idempotency, routing
from app.core.http.routing import Transaction
from app.core.problems import Problem

router = routing.router("Probe")


class Refused(Problem):
    status = 409
    title = "Refused"


async def _claim(request: Request, tx: Transaction) -> None:
    await tx.connection.execute("SELECT set_config('tonghu.caller', 'probe', true)")
    await idempotency.claim(
        tx,
        request,
        caller="probe",
        operation=request.headers.get("x-operation", "addProbe"),
        authority=request.headers.get("x-authority", ""),
    )


@router.post("/probe", status_code=201, dependencies=[Depends(_claim)])
@router.post("/probe/{place}", status_code=201, dependencies=[Depends(_claim)])
async def add_probe(
    body: Annotated[dict[str, Any], Body()], tx: Transaction, place: str = ""
) -> Response:
    if body.get("refuse"):
        raise Refused
    pid = await tx.connection.fetchval("SELECT pg_current_xact_id()::text")
    headers = {"location": f"/probe/{pid}", "etag": '"1"', "x-other": "1"}
    return JSONResponse({"transaction": pid, "said": body}, 201, headers)


@router.post("/bare-probe", status_code=201, dependencies=[Depends(_claim)])
async def add_bare_probe(tx: Transaction) -> Response:
    return JSONResponse(await tx.connection.fetchval("SELECT pg_current_xact_id()::text"), 201)


@pytest.fixture
async def probe(live_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    answers.install(app)
    app.include_router(router)

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {"database": live_database}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    async with live_database.begin() as tx:
        await tx.connection.execute("SELECT set_config('tonghu.caller', 'probe', true)")
        await tx.connection.execute("DELETE FROM idempotency_keys WHERE caller = 'probe'")


async def test_the_same_key_gets_the_same_answer(probe: httpx.AsyncClient) -> None:
    first = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k1"})
    again = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": '"k1"'})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_what_the_release_before_kept_is_given_again(probe, live_database) -> None:
    first = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k9"})
    place = ("idempotency_keys.answer", "probe/addProbe/k9")
    async with live_database.begin() as tx:
        await tx.connection.execute("SELECT set_config('tonghu.caller', 'probe', true)")
        kept = await tx.connection.fetchval("SELECT answer FROM idempotency_keys WHERE key = 'k9'")
        said = zlib.decompress(tx.keyring.unseal_bytes(*place, kept))
        await tx.connection.execute(
            "UPDATE idempotency_keys SET answer = $1 WHERE key = 'k9'",
            tx.keyring.seal(*place, said),
        )
    again = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k9"})
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_the_same_answer_has_the_headers_that_are_part_of_it(probe) -> None:
    first = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k7"})
    again = await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k7"})
    assert first.headers["location"].startswith("/probe/")
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert "x-other" not in again.headers


async def test_another_path_under_the_key_is_refused(probe: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "k8"}
    first = await probe.post("/probe/1", json={"a": 1}, headers=headers)
    other = await probe.post("/probe/2", json={"a": 1}, headers=headers)
    again = await probe.post("/probe/1", json={"a": 1}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert (first.status_code, again.content) == (201, first.content)


async def test_a_key_belongs_to_one_operation(probe: httpx.AsyncClient) -> None:
    said = {"json": {"a": 1}}
    first = [
        await probe.post("/probe", headers={"idempotency-key": "k", "x-operation": name}, **said)
        for name in ("addProbe", "addOther")
    ]
    again = [
        await probe.post("/probe", headers={"idempotency-key": "k", "x-operation": name}, **said)
        for name in ("addProbe", "addOther")
    ]
    assert first[0].json() != first[1].json()
    assert [each.json() for each in again] == [each.json() for each in first]


async def test_two_keys_are_none(probe: httpx.AsyncClient) -> None:
    headers = [("idempotency-key", "one"), ("idempotency-key", "two")]
    answer = await probe.post("/probe", json={"a": 1}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-invalid")


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"),
        (
            "application/cloudevents+json",
            "application/CloudEvents+json",
            "application/cloudevents-batch+json",
        ),
    ],
)
async def test_another_media_type_under_the_key_is_refused(probe, first, same, other) -> None:
    for media_type, status in ((first, 201), (same, 201), (other, 422)):
        headers = {"idempotency-key": "k", "content-type": media_type}
        answer = await probe.post("/probe", content=b'{"a": 1}', headers=headers)
        assert answer.status_code == status, media_type


async def test_what_has_no_body_takes_a_key_as_well(probe: httpx.AsyncClient) -> None:
    first, again = [
        await probe.post("/bare-probe", headers={"idempotency-key": "k9"}) for _ in range(2)
    ]
    assert (first.status_code, again.content) == (201, first.content)


async def test_an_answer_is_given_again_to_the_authority_it_was_given_to(probe) -> None:
    """It may show a secret, though no child: whoever has another post by now is not shown it."""
    first, again, other = [
        await probe.post(
            "/probe", json={"a": 1}, headers={"idempotency-key": "k", "x-authority": authority}
        )
        for authority in ("post:1", "post:1", "post:2")
    ]
    assert (again.status_code, again.content) == (201, first.content)
    assert (other.status_code, other.json()["type"]) == (410, "/problems/answer-out-of-sight")


async def test_another_body_under_the_key_is_refused(probe: httpx.AsyncClient) -> None:
    await probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k2"})
    other = await probe.post("/probe", json={"a": 2}, headers={"idempotency-key": "k2"})
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_other_headers_that_matter_under_the_key_are_refused(probe) -> None:
    headers = {"idempotency-key": "k6", "if-match": '"1"'}
    await probe.post("/probe", json={"a": 1}, headers=headers)
    for other in ({"if-match": '"2"'}, {"if-match": ""}, {"prefer": "handling=strict"}):
        answer = await probe.post("/probe", json={"a": 1}, headers={**headers, **other})
        assert answer.json()["type"] == "/problems/idempotency-key-reused"


async def test_a_refused_request_leaves_the_key_free(probe: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "k3"}
    assert (await probe.post("/probe", json={"refuse": True}, headers=headers)).status_code == 409
    assert (await probe.post("/probe", json={"a": 1}, headers=headers)).status_code == 201


async def test_fifty_at_once_do_the_work_once(probe: httpx.AsyncClient) -> None:
    answers_given = await asyncio.gather(
        *(probe.post("/probe", json={"a": 1}, headers={"idempotency-key": "k4"}) for _ in range(50))
    )
    done = [answer for answer in answers_given if answer.status_code == 201]
    assert len({answer.content for answer in done}) == 1
    # The rest, if any, found the pool busy: safe to try again.
    assert {answer.status_code for answer in answers_given} <= {201, 503}


@pytest.mark.parametrize("key", ["", "ä", '"open', "x" * 201])
async def test_an_unusable_key_is_named(probe: httpx.AsyncClient, key: str) -> None:
    answer = await probe.post("/probe", json={}, headers={"idempotency-key": key.encode("latin-1")})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"


async def test_the_stored_answer_is_not_readable(
    probe: httpx.AsyncClient, live_database: Database
) -> None:
    await probe.post("/probe", json={"name": "canary-name"}, headers={"idempotency-key": "k5"})
    async with live_database.begin() as tx:
        await tx.connection.execute("SELECT set_config('tonghu.caller', 'probe', true)")
        stored = await tx.connection.fetchval(
            "SELECT answer FROM idempotency_keys WHERE caller = 'probe' AND key = 'k5'"
        )
    assert stored
    assert b"canary-name" not in stored
