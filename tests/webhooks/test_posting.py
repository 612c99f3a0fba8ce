"""What a receiver may do to a connection, said byte by byte on the wire."""

import asyncio
import ssl

import pytest

from app.webhooks import posting, sending
from tests.webhooks.wire import (
    NOW,
    OK,
    SECONDS,
    Wire,
    client,
    listening,
    names,
    saying,
    settings_of,
)


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

    async def test_is_left_after_a_while_though_it_is_never_idle(self, monkeypatch) -> None:
        monkeypatch.setattr(posting, "_KEPT_SECONDS", 0.0)
        async with saying(OK) as wire, client(wire) as send:
            for _ in range(3):
                await send()
        assert [len(heard) for heard in wire.heard] == [1, 1, 1]

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
