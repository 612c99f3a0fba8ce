"""One attempt: where it may go, and what may come back."""

import asyncio
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from app.core import settings as config
from app.webhooks import posting, sending
from tests.waiting import until
from tests.webhooks.workshop import receiving, settings_for, status

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def names(*addresses: str) -> posting.Resolve:
    """Make a resolver under somebody else's control: one answer for every name."""

    async def resolve(*_: object) -> tuple[str, ...]:
        return addresses

    return resolve


async def post(url: str, settings, resolve=None) -> sending.Answer:
    async with sending.open_client(settings, resolve=resolve) as send:
        return await send(url, [b"k" * 32], webhook_id="msg_a", body=b"{}", at=NOW)


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
    )
    async def test_a_name_that_resolves_inside_is_never_dialled(self, receiver, address) -> None:
        settings = settings_for(receiver).model_copy(update={"allowed_networks": ()})
        url = f"http://receiver.example.org:{receiver.port}/in"
        answer = await post(url, settings, names(address))
        assert (answer.error, answer.address) == ("address_not_allowed", None)
        assert receiver.received == []

    async def test_a_name_in_the_operators_networks_is_dialled(self, receiver) -> None:
        url = f"http://receiver.example.org:{receiver.port}/in"
        answer = await post(url, settings_for(receiver), names("10.0.0.1", "127.0.0.1"))
        assert (answer.status, answer.address) == (200, "127.0.0.1")

    async def test_a_url_no_longer_allowed_is_not_tried(self, receiver) -> None:
        settings = settings_for(receiver).model_copy(update={"allow_http": False})
        assert (await post(receiver.url, settings)).error == "address_not_allowed"
        assert receiver.received == []

    async def test_a_redirect_is_not_followed(self, receiver) -> None:
        async with receiving() as elsewhere:
            receiver.replies = [status(307, location=elsewhere.url)]
            answer = await post(receiver.url, settings_for(receiver, elsewhere))
            assert (answer.status, answer.error) == (307, "status_not_2xx")
            assert elsewhere.received == []

    async def test_proxies_of_the_environment_are_ignored(self, receiver, monkeypatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert (await post(receiver.url, settings_for(receiver))).status == 200


class TestFailure:
    async def test_of_a_name_has_a_code(self, receiver) -> None:
        async def nothing(*_: object) -> tuple[str, ...]:
            raise OSError(None, "secret detail")

        url = f"http://receiver.example.org:{receiver.port}/in"
        answer = await post(url, settings_for(receiver), nothing)
        assert (answer.error, answer.status) == ("name_not_resolved", None)

    async def test_of_tls_has_a_code(self, receiver) -> None:
        answer = await post(receiver.url.replace("http:", "https:"), settings_for(receiver))
        assert answer.error in {"tls_failed", "connection_failed"}

    async def test_hang_up_has_a_code(self, receiver) -> None:
        async def hang_up(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        receiver.replies = [hang_up]
        answer = await post(receiver.url, settings_for(receiver))
        assert answer.error == "connection_lost"


async def test_compressed_answers_stay_as_they_are(receiver) -> None:
    bomb = b"\x1f\x8b" + b"\x00" * 100

    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"content-encoding": "gzip"})

    receiver.replies = [reply]
    answer = await post(receiver.url, settings_for(receiver))
    assert (answer.status, answer.body, answer.truncated) == (200, bomb, False)


@dataclass
class Wire:
    """A receiver that says what it is told to, byte by byte. `heard`: requests by connection."""

    port: int = 0
    heard: list[list[bytes]] = field(default_factory=list)
    ended: list[asyncio.Event] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@asynccontextmanager
async def saying(*answers: bytes, then_close: bool = False) -> AsyncIterator[Wire]:
    """Answer requests with these in turn, whatever connection they come on; the last goes on."""
    wire, left = Wire(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        ended = asyncio.Event()
        wire.heard.append(heard)
        wire.ended.append(ended)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heard.append(head + await reader.readexactly(2))
                wire.asked.set()
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()
                if then_close:
                    writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            ended.set()
            writer.close()

    async with await listening(serve, wire):
        yield wire


async def listening(serve: Any, wire: Wire) -> asyncio.Server:
    """Listen where nobody else looks for a free port."""
    while True:
        wire.port = random.randrange(20_000, 32_000)
        with suppress(OSError):
            return await asyncio.start_server(serve, "127.0.0.1", wire.port)


def settings_of(wire: Wire, **others: Any) -> config.Webhooks:
    return config.Webhooks(
        allowed_networks=("127.0.0.0/8",),
        allow_http=True,
        allowed_ports=(wire.port,),
        **others,
    )


@asynccontextmanager
async def client(wire: Wire, **others: Any) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with sending.open_client(settings_of(wire, **others)) as send:
        yield lambda: send(wire.url, [b"k" * 32], webhook_id="msg_a", body=b"{}", at=NOW)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECONDS = 10


class TestAnswer:
    @pytest.mark.parametrize(
        ("said", "body", "truncated"),
        [
            (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok", False),
            (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", False),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nless", b"less", True),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                + (b"9c40\r\n" + b"x" * 40_000 + b"\r\n") * 3
                + b"0\r\n\r\n",
                b"x" * 16_384,
                True,
            ),
        ],
    )
    async def test_counts_as_far_as_it_came(self, said, body, truncated) -> None:
        async with saying(said, then_close=True) as wire, client(wire) as send:
            answer = await send()
        assert (answer.status, answer.body, answer.truncated) == (200, body, truncated)

    @pytest.mark.parametrize(
        "said",
        [
            b"220 smtp ready\r\n",
            b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
        ],
    )
    async def test_that_is_none_has_a_code(self, said) -> None:
        async with saying(said) as wire, client(wire) as send:
            answer = await send()
        assert (answer.status, answer.error) == (None, "answer_malformed")

    async def test_of_another_protocol_is_a_failure(self) -> None:
        said = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhi"
        async with saying(said) as wire, client(wire) as send:
            answer = await send()
        assert (answer.status, answer.error) == (101, "status_not_2xx")

    async def test_says_nothing_after_its_body(self) -> None:
        said = b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n"
        said += b"retry-after: 7\r\nwebhook-delivery: abort-message\r\n\r\n"
        async with saying(said) as wire, client(wire) as send:
            answer = await send()
        assert (answer.status, answer.retry_after, answer.said) == (503, None, None)

    async def test_that_goes_on_after_its_body_is_cut_off(self, monkeypatch) -> None:
        monkeypatch.setattr(posting, "BODY_SECONDS", 3_600.0)
        said = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: "
        async with saying(said + b"y" * 2_000_000) as wire, client(wire) as send:
            async with asyncio.timeout(SECONDS):
                answer = await send()
        assert (answer.status, answer.truncated) == (200, True)

    async def test_that_does_not_come_has_a_code(self) -> None:
        async with saying(b"") as wire, client(wire, attempt_seconds=0.05) as send:
            answer = await send()
        assert (answer.error, answer.address) == ("timed_out", "127.0.0.1")

    async def test_tells_what_is_asked_of_it(self) -> None:
        said = b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nWebhook-Delivery: abort-message\r\n"
        async with saying(said + b"content-length: 0\r\n\r\n") as wire, client(wire) as send:
            answer = await send()
        assert (answer.retry_after, answer.said) == ("7", "abort-message")

    async def test_may_come_piece_by_piece(self) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            for piece in (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"o", b"k"):
                writer.write(piece)
                await writer.drain()
                for _ in range(20):
                    await asyncio.sleep(0)
            await reader.read()
            writer.close()

        wire = Wire()
        async with await listening(serve, wire), client(wire) as send:
            answer = await send()
        assert (answer.status, answer.body, answer.truncated) == (200, b"ok", False)


class TestConnection:
    async def test_is_kept(self) -> None:
        async with saying(OK) as wire, client(wire) as send:
            answers = [await send(), await send()]
        assert [answer.address for answer in answers] == ["127.0.0.1"] * 2
        assert [len(heard) for heard in wire.heard] == [2]
        assert wire.heard[0][0].startswith(b"POST /in HTTP/1.1\r\nhost: 127.0.0.1:")

    @pytest.mark.parametrize(
        "said",
        [
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            OK + OK,
            OK + b"HTTP/1.1 500",
        ],
    )
    async def test_is_not_kept_if_it_is_not_at_its_end(self, said) -> None:
        async with saying(said, OK) as wire, client(wire) as send:
            assert [(await send()).body, (await send()).body] == [b"ok", b"ok"]
        assert [len(heard) for heard in wire.heard] == [1, 1]

    async def test_on_which_something_comes_unasked_is_ended(self) -> None:
        more = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK)
            await more.wait()
            writer.write(OK)
            await reader.read()
            ended.set()
            writer.close()

        ended = asyncio.Event()
        wire = Wire()
        async with await listening(serve, wire), client(wire) as send:
            await send()
            more.set()
            async with asyncio.timeout(SECONDS):
                await ended.wait()

    @pytest.mark.parametrize("limit", ["_IDLE_SECONDS", "_KEPT_SECONDS"])
    async def test_lives_for_a_while(self, monkeypatch, limit) -> None:
        monkeypatch.setattr(posting, limit, 0.0)
        async with saying(OK) as wire, client(wire) as send:
            await send()
            async with asyncio.timeout(SECONDS):
                await wire.ended[0].wait()
            assert (await send()).status == 200
        assert [len(heard) for heard in wire.heard] == [1, 1]

    async def test_is_kept_for_its_name_alone(self) -> None:
        """Whoever shares an address and a port with another is another."""
        async with saying(OK) as wire:
            resolve = names("127.0.0.1")
            async with sending.open_client(settings_of(wire), resolve=resolve) as send:
                for name in ("a.example.org", "b.example.org", "a.example.org"):
                    url = f"http://{name}:{wire.port}/in"
                    await send(url, [b"k"], webhook_id="msg_a", body=b"{}", at=NOW)
        assert [len(heard) for heard in wire.heard] == [2, 1]

    async def test_that_waits_is_no_older_than_its_vetting(self, monkeypatch) -> None:
        """However often it is used: what may be dialled may have changed."""
        monkeypatch.setattr(posting, "_KEPT_SECONDS", 0.5)
        async with saying(OK) as wire, client(wire) as send:
            await send()
            async with asyncio.timeout(SECONDS):
                await wire.ended[0].wait()

    async def test_that_ends_before_a_word_of_an_answer_is_replaced(self) -> None:
        """Only if it had been kept: whoever keeps one for a while ends it when it likes."""
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n{}"))
            if len(heard) < 4:
                writer.write(OK)
                await reader.readuntil(b"\r\n\r\n{}")
            writer.close()

        wire = Wire()
        async with await listening(serve, wire), client(wire) as send:
            answers = [await send() for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, None]
        assert answers[-1].error == "connection_lost"
        assert len(heard) == 4

    async def test_that_has_just_ended_is_passed_over(self) -> None:
        dialled = posting.Client(
            may_dial=lambda _: True, tls=ssl.create_default_context(), wanted=frozenset()
        )
        async with saying(OK) as wire:
            target = posting.Target.of(f"{wire.url}?a=%20b", "")
            for _ in range(2):
                met: list[str] = []
                reply = await dialled.post(target, b"", b"{}", seconds=SECONDS, met=met)
                assert (reply.body, met) == (b"ok", ["127.0.0.1"])
                [[link]] = dialled.idle.values()
                link.transport.abort()
            dialled.close()
        assert [len(heard) for heard in wire.heard] == [1, 1]
        assert wire.heard[0][0].startswith(b"POST /in?a=%20b HTTP/1.1\r\n")

    async def test_gives_way_to_who_comes_later(self, monkeypatch) -> None:
        """Thirty thousand endpoints are more than a process may have files open."""
        monkeypatch.setattr(posting, "_IDLE_AT_MOST", 1)
        vetting = posting.Client(
            may_dial=lambda _: True, tls=ssl.create_default_context(), wanted=frozenset()
        )
        async with saying(OK) as first, saying(OK) as second:
            for wire in (first, second):
                target = posting.Target.of(wire.url, "")
                await vetting.post(target, b"", b"{}", seconds=SECONDS, met=[])
            async with asyncio.timeout(SECONDS):
                await first.ended[0].wait()
            assert not second.ended[0].is_set()
            vetting.close()

    async def test_ends_with_who_asked(self) -> None:
        async with saying(b"") as wire, client(wire) as send:
            asking = asyncio.ensure_future(send())
            async with asyncio.timeout(SECONDS):
                await wire.asked.wait()
                asking.cancel()
                await wire.ended[0].wait()
            assert asking.cancelled()


class TestName:
    async def test_is_tried_at_each_of_its_addresses(self) -> None:
        async with saying(OK) as wire:
            url = f"http://receiver.example.org:{wire.port}/in"
            found = names("127.0.0.2", "127.0.0.1")
            answer = await post(url, settings_of(wire), found)
            assert (answer.status, answer.address) == (200, "127.0.0.1")
            answer = await post(url, settings_of(wire), names("127.0.0.2"))
            assert (answer.error, answer.address) == ("connection_failed", "127.0.0.2")
            answer = await post(url, settings_of(wire), names())
            assert (answer.error, answer.address) == ("name_not_resolved", None)

    async def test_of_which_one_address_swallows_all_is_reached_at_the_next(
        self, monkeypatch
    ) -> None:
        loop = asyncio.get_running_loop()
        dial = loop.create_connection

        async def swallowed(protocol: Any, host: str, *rest: Any, **named: Any) -> Any:
            if host == "127.0.0.2":
                await asyncio.Event().wait()
            return await dial(protocol, host, *rest, **named)

        monkeypatch.setattr(posting, "CONNECT_SECONDS", 1.0)
        monkeypatch.setattr(loop, "create_connection", swallowed)
        async with saying(OK) as wire:
            url = f"http://receiver.example.org:{wire.port}/in"
            answer = await post(url, settings_of(wire), names("127.0.0.2", "127.0.0.1"))
            assert (answer.status, answer.address) == (200, "127.0.0.1")
            answer = await post(url, settings_of(wire), names("127.0.0.2"))
            assert (answer.error, answer.address) == ("timed_out", "127.0.0.2")

    async def test_is_looked_up_once_for_all_who_ask_but_again_after_a_failure(
        self, monkeypatch
    ) -> None:
        monkeypatch.setattr(posting, "_NAMED_SECONDS", 3_600.0)
        asked: list[str] = []

        async def resolve(host: str, port: int) -> tuple[str, ...]:
            asked.append(host)
            if len(asked) == 1:
                raise OSError(port)
            return ("127.0.0.1",)

        async with saying(OK) as wire:
            url = f"http://receiver.example.org:{wire.port}/in"
            async with sending.open_client(settings_of(wire), resolve=resolve) as send:

                async def once() -> Any:
                    return await send(url, [b"k"], webhook_id="msg_a", body=b"{}", at=NOW)

                async def knows() -> bool:
                    return (await once()).error is None

                assert (await once()).error == "name_not_resolved"
                await until(knows)
                answers = await asyncio.gather(*(once() for _ in range(5)))
        assert {answer.status for answer in answers} == {200}
        assert len(asked) == 2

    async def test_that_nobody_answers_for_is_given_up(self) -> None:
        looking = asyncio.Event()

        async def resolve(*_: object) -> tuple[str, ...]:
            looking.set()
            await asyncio.Event().wait()
            raise AssertionError

        async with saying(OK) as wire:
            url = f"http://receiver.example.org:{wire.port}/in"
            settings = settings_of(wire)
            async with sending.open_client(settings, resolve=resolve) as send:
                asking = asyncio.ensure_future(
                    send(url, [b"k"], webhook_id="msg_a", body=b"{}", at=NOW)
                )
                await looking.wait()
                asking.cancel()
        assert wire.heard == []

    async def test_is_looked_up_by_the_machine(self) -> None:
        assert "127.0.0.1" in await posting.look_up("localhost", 80)

    async def test_is_looked_up_though_those_of_others_are_not_told(self, monkeypatch) -> None:
        answers, told = threading.Event(), socket.getaddrinfo

        def ask(host: str, *rest: Any, **named: Any) -> Any:
            if host != "localhost":
                answers.wait(SECONDS)
            return told("localhost", *rest, **named)

        monkeypatch.setattr(socket, "getaddrinfo", ask)
        silent = [
            asyncio.ensure_future(posting.look_up(f"silent{n}.example.org", 80)) for n in range(40)
        ]
        try:
            async with asyncio.timeout(SECONDS / 2):
                assert "127.0.0.1" in await posting.look_up("localhost", 80)
        finally:
            answers.set()
            await asyncio.gather(*silent)
