"""Every exchange has an id, safe headers and one log line, and ends in a problem at worst."""

import asyncio
import logging
from ipaddress import ip_network

import httpx
import orjson
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from app.core import logs
from app.core.http.exchange import Exchange
from app.core.metrics import Figures

SECRET = "120119200001011234"
PROXIES = (ip_network("127.0.0.1/32"),)


class Broken(Exception):
    sqlstate = "23505"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/broken":
        raise Broken(f"Key (resident_id)=({SECRET}) exists")
    assert scope["method"] == "GET"
    await PlainTextResponse("hello", headers={"cache-control": "max-age=5"})(scope, receive, send)


@pytest.fixture
async def http():
    logs.configure()
    app = Exchange(inner, figures=Figures([]), https_only=True, trusted_proxies=PROXIES)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def logged(capsysbinary) -> list[dict]:
    return [orjson.loads(line) for line in capsysbinary.readouterr().err.splitlines()]


async def test_answers_carry_safe_headers(http) -> None:
    answer = await http.get("/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_a_response_may_set_its_own_caching(http) -> None:
    assert (await http.get("/")).headers["cache-control"] == "max-age=5"
    assert (await http.get("/broken")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "given", ["short", SECRET, SECRET[:-1] + "X", "x" * 65, 'new"line', "räksmörgås"]
)
async def test_replaces_an_unusable_request_id(http, given: str) -> None:
    answer = await http.get("/", headers={"x-request-id": given.encode()})
    assert answer.headers["x-request-id"] != given


async def test_keeps_the_request_id_that_a_proxy_of_ours_gives(http, capsysbinary) -> None:
    answer = await http.get("/", headers={"x-request-id": "of-the-proxy-1"})
    assert answer.headers["x-request-id"] == "of-the-proxy-1"
    assert logged(capsysbinary)[-1]["request_id"] == "of-the-proxy-1"


async def test_replaces_the_request_id_of_anybody_else(capsysbinary) -> None:
    logs.configure()
    app = Exchange(inner, figures=Figures([]), trusted_proxies=PROXIES)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4321))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/", headers={"x-request-id": SECRET})
    assert answer.headers["x-request-id"] != SECRET
    assert SECRET.encode() not in capsysbinary.readouterr().err


async def test_head_is_get_without_the_body(http) -> None:
    answer = await http.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "5"


async def test_a_fault_is_a_problem_and_its_message_stays_unsaid(http, capsysbinary) -> None:
    answer = await http.get("/broken", headers={"accept-language": "zh"})
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    raw = capsysbinary.readouterr().err
    fault, request = map(orjson.loads, raw.splitlines())
    assert (fault["error"], fault["sqlstate"]) == ("Broken", "23505")
    assert fault["place"].startswith("core/http/exchange.py:")
    assert request["status"] == 500
    assert SECRET.encode() not in raw + answer.content


async def test_what_breaks_within_an_answer_is_logged_and_not_answered_again(capsysbinary) -> None:
    logs.configure()
    sent = []

    async def breaks(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Broken

    async def send(message: Message) -> None:
        sent.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Exchange(breaks, figures=Figures([]))(scope, None, send)
    assert sent == ["http.response.start"]
    assert "fault" in [line["event"] for line in logged(capsysbinary)]


async def test_neither_path_nor_query_is_logged(http, capsysbinary) -> None:
    await http.get(f"/{SECRET}", params={"name": SECRET})
    assert SECRET.encode() not in capsysbinary.readouterr().err


async def test_library_logs_lose_their_arguments(http, capsysbinary) -> None:
    logging.getLogger("sqlalchemy").error("failed for %s", SECRET, exc_info=Broken(SECRET))
    raw = capsysbinary.readouterr().err
    assert SECRET.encode() not in raw
    assert orjson.loads(raw)["error"] == "Broken"


async def test_what_asyncio_reports_without_an_exception_is_logged(http, capsysbinary) -> None:
    """It says `exc_info=False` for none."""
    asyncio.get_running_loop().call_exception_handler({"message": "Task was destroyed"})
    entry = orjson.loads(capsysbinary.readouterr().err)
    assert (entry["event"], entry["level"]) == ("Task was destroyed", "error")
    assert "error" not in entry
