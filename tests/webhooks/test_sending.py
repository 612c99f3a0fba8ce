"""One attempt: where it may go, and what may come back."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from app.webhooks import posting, sending
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
