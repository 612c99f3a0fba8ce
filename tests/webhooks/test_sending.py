"""One attempt: where it may go, and what may come back."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from aiohttp import web

from app.webhooks import posting, sending
from tests.waiting import until
from tests.webhooks.wire import NOW, OK, SECONDS, names, post, saying, settings_of
from tests.webhooks.workshop import receiving, settings_for, status


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
