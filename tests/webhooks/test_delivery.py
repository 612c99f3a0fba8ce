"""The sender against a real receiver and a real database."""

import asyncio
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from aiohttp import web

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.webhooks import rules, signing
from app.webhooks.operations import deliveries
from tests import schema
from tests.access.factories import an_agency
from tests.waiting import happens, until
from tests.webhooks.workshop import (
    HOME,
    TOWNSHIP,
    Clock,
    Receiver,
    an_endpoint,
    an_event,
    attempts_of,
    hang,
    has_state,
    pass_time_until_due,
    queue,
    receiving,
    row_of,
    sending,
    settings_for,
    status,
    subscribed,
    verified,
    waits_for,
)

SUCCEEDED = "SELECT * FROM events WHERE wire_name = 'webhooks.delivery_succeeded'"


class TestDelivery:
    async def test_arrives_signed_as_stored(
        self,
        live: Database,
        bureau: UUID,
        receiver: Receiver,
        clock: Clock,
        database_urls: schema.Urls,
    ) -> None:
        _, key = await an_endpoint(live, bureau, receiver.url)
        report = new_id()
        async with sending(live, settings_for(receiver), database_urls.app):
            made = await queue(live, bureau, report)
            await until(has_state(live, made, "succeeded", 1))
        (got,) = receiver.received
        row = await row_of(live, made)
        assert got.body == row["body"]
        assert got.headers["webhook-id"] == row["webhook_id"]
        assert got.headers["webhook-timestamp"] == str(int(clock.now.timestamp()))
        assert got.headers["content-length"] == str(len(got.body))
        assert "transfer-encoding" not in got.headers
        assert got.headers["content-type"] == "application/json"
        assert got.headers["accept-encoding"] == "identity"
        assert got.headers["user-agent"].startswith("tonghu/")
        payload = verified(got, key, clock.now)
        assert payload["type"] == "webhooks.delivery_overdue"
        assert payload["timestamp"] == "2026-11-20T02:00:00.000000Z"
        said = payload["data"]
        assert (said["subject_id"], said["event_id"]) == (str(report), str(row["event_id"]))
        assert (said["region_code"], said["sequence"]) == (f"{TOWNSHIP:012d}", 1)
        (attempt,) = await attempts_of(live, made)
        assert (attempt["status"], attempt["error"], attempt["number"]) == (200, None, 1)
        assert (attempt["address"], attempt["trigger"]) == ("127.0.0.1", "auto")
        assert attempt["key_ids"] == [signing.key_id(key)]

    async def test_is_announced_once_delivered(
        self, live: Database, bureau: UUID, receiver: Receiver, database_urls: schema.Urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        report = new_id()
        made = await queue(live, bureau, report)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "succeeded", 1))
        async with live.begin(SYSTEM) as tx:
            (event,) = await tx.connection.fetch(SUCCEEDED)
        assert event["subject_id"] == report
        data = event["data"]
        assert (data["delivery_id"], data["agency_id"]) == (str(made), str(bureau))

    async def test_signs_with_both_secrets_during_a_rotation(
        self,
        live: Database,
        bureau: UUID,
        receiver: Receiver,
        clock: Clock,
        database_urls: schema.Urls,
    ) -> None:
        endpoint, old = await an_endpoint(live, bureau, receiver.url)
        new = signing.new_secret()
        async with live.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE webhook_endpoints SET secret_sealed = $2, previous_secret_sealed = $3,"
                " previous_secret_until = $4 WHERE id = $1",
                endpoint,
                tx.keyring.seal("webhook_endpoints.secret_sealed", endpoint, new),
                tx.keyring.seal("webhook_endpoints.previous_secret_sealed", endpoint, old),
                clock.now + timedelta(hours=1),
            )
        async with sending(live, settings_for(receiver), database_urls.app):
            first = await queue(live, bureau)
            await until(has_state(live, first, "succeeded", 1))
            clock.advance(hours=2)
            second = await queue(live, bureau)
            await until(has_state(live, second, "succeeded", 1))
        during, after = receiver.received
        verified(during, new, clock.now - timedelta(hours=2))
        verified(during, old, clock.now - timedelta(hours=2))
        assert len(after.headers["webhook-signature"].split()) == 1
        verified(after, new, clock.now)


REFUSALS = [
    pytest.param(status(410), 410, "status_not_2xx", id="410 gone"),
    pytest.param(status(302, location="http://127.0.0.1:1/"), 302, "status_not_2xx", id="redirect"),
    pytest.param(status(304), 304, "status_not_2xx", id="304"),
    pytest.param(status(400), 400, "status_not_2xx", id="400"),
    pytest.param(status(500, webhook_delivery="abort-message"), 500, "status_not_2xx", id="abort"),
    pytest.param(hang, None, "timed_out", id="no answer"),
]


class TestMandatory:
    @pytest.mark.parametrize(("reply", "code", "error"), REFUSALS)
    async def test_is_tried_again_whatever_the_answer(
        self, live, bureau, receiver, clock, database_urls, reply, code, error
    ) -> None:
        _, key = await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [reply, status(200)]
        made = await queue(live, bureau)
        settings = settings_for(receiver, attempt_seconds=1 if reply is hang else 20)
        async with sending(live, settings, database_urls.app):
            await until(has_state(live, made, "pending", 1))
            assert timedelta(seconds=4) <= await waits_for(live, made) <= timedelta(seconds=6.01)
            async with live.begin(SYSTEM) as tx:
                assert await tx.connection.fetch(SUCCEEDED) == [], "nobody hears that it arrived"
            await pass_time_until_due(live, made, clock)
            await until(has_state(live, made, "succeeded", 2))
        first, second = receiver.received
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
        verified(second, key, clock.now)
        attempt, _ = await attempts_of(live, made)
        assert (attempt["status"], attempt["error"]) == (code, error)

    async def test_waits_as_long_as_asked(self, live, bureau, receiver, database_urls) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(503, retry_after="120")]
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "pending", 1))
        assert timedelta(seconds=120) <= await waits_for(live, made) < timedelta(seconds=120.01)

    async def test_is_never_given_up(self, live, bureau, receiver, clock, database_urls) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(500)] * 14
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app):
            for number in range(1, 15):
                await until(has_state(live, made, "pending", number))
                clock.advance(minutes=20)
            await until(has_state(live, made, "succeeded", 15))
        assert len(set(receiver.ids())) == 1

    async def test_survives_a_receiver_that_was_away(self, live, bureau, database_urls) -> None:
        async with receiving() as gone:
            pass
        await an_endpoint(live, bureau, gone.url)
        made = await queue(live, bureau)
        async with sending(live, settings_for(gone), database_urls.app):
            await until(has_state(live, made, "pending", 1))
        (attempt,) = await attempts_of(live, made)
        assert attempt["error"] == "connection_failed"


class TestSubscriber:
    async def test_is_tried_for_thirty_days(
        self, live, bureau, receiver, clock, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(500)] * 13
        made = await subscribed(live)
        async with sending(live, settings_for(receiver), database_urls.app):
            for number in range(1, 13):
                await until(has_state(live, made, "pending", number))
                clock.advance(hours=61)
            await until(has_state(live, made, "exhausted", 13))
        assert len(receiver.received) == 13

    async def test_is_no_proof_once_delivered(self, live, bureau, receiver, database_urls) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = await subscribed(live)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "succeeded", 1))
        async with live.begin(SYSTEM) as tx:
            said = await tx.connection.fetch("SELECT wire_name FROM events")
        assert [row["wire_name"] for row in said] == [an_event().wire_name]

    async def test_stops_at_410(self, live, bureau, receiver, database_urls) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(410)]
        made = await subscribed(live)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "exhausted", 1))


class TestAnswerBody:
    async def test_that_never_ends_is_cut_and_counts_as_delivered(
        self, live, bureau, receiver, database_urls
    ) -> None:
        async def drip(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            await answer.write(b"x")
            await asyncio.Event().wait()
            raise AssertionError

        async def flood(request: web.Request) -> web.StreamResponse:
            answer = web.StreamResponse()
            await answer.prepare(request)
            for _ in range(100_000):
                await answer.write(b"y" * 65_536)
            raise AssertionError

        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [drip, flood]
        slow, big = await queue(live, bureau), await queue(live, bureau)
        # The whole attempt is bounded too, and a 2xx that came before the bound stands.
        settings = settings_for(receiver, attempt_seconds=1.5)
        async with sending(live, settings, database_urls.app):
            await until(has_state(live, slow, "succeeded", 1))
            await until(has_state(live, big, "succeeded", 1))
        async with live.begin(SYSTEM) as tx:
            rows = await tx.connection.fetch("SELECT * FROM webhook_attempts")
        bodies = {
            tx.keyring.unseal_bytes(
                "webhook_attempts.response_sealed", r["id"], r["response_sealed"]
            )
            for r in rows
        }
        assert bodies == {b"x", b"y" * 16_384}
        assert all(row["response_truncated"] for row in rows)


class TestOrder:
    async def test_of_one_subject_is_kept_and_others_go_on(
        self, live, bureau, receiver, clock, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(500)]
        report = new_id()
        first = await queue(live, bureau, report)
        second = await queue(live, bureau, report)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, first, "pending", 1))
            other = await queue(live, bureau)
            await until(has_state(live, other, "succeeded", 1))
            assert (await row_of(live, second))["attempts"] == 0
            await pass_time_until_due(live, first, clock)
            await until(has_state(live, second, "succeeded", 1))
        sequences = [orjson.loads(each.body)["data"]["sequence"] for each in receiver.received]
        assert sequences == [1, 1, 1, 2]

    async def test_a_mandatory_one_waits_for_no_other_news_of_its_subject(
        self, live, bureau, receiver, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [status(500)]
        report = new_id()
        async with sending(live, settings_for(receiver), database_urls.app):
            news = await subscribed(live, report)
            await until(has_state(live, news, "pending", 1))
            made = await queue(live, bureau, report)
            await until(has_state(live, made, "succeeded", 1))
        assert (await row_of(live, news))["state"] == "pending"

    async def test_urgent_reports_go_first(
        self, live, bureau, receiver, clock, database_urls, monkeypatch
    ) -> None:
        monkeypatch.setattr(rules, "FULL_CONCURRENCY", 1)
        await an_endpoint(live, bureau, receiver.url)
        for _ in range(3):
            await queue(live, bureau)
        clock.advance(seconds=1)
        async with live.begin(SYSTEM) as tx:
            (urgent,) = await deliveries.tell(tx, an_event(), agency_id=bureau, urgent=True)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(lambda: len(receiver.received) == 4)
        assert receiver.ids()[0] == (await row_of(live, urgent))["webhook_id"]

    async def test_at_most_sixteen_are_in_flight_to_an_endpoint_at_first(
        self, live, bureau, receiver, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        neighbour = await an_agency(live, "police", HOME)
        full, go_on = asyncio.Event(), asyncio.Event()

        async def wait(_: web.Request) -> web.StreamResponse:
            if receiver.in_flight == 16:
                full.set()
            await go_on.wait()
            return web.Response()

        receiver.replies = [wait] * 60
        made = [await queue(live, bureau) for _ in range(40)]
        made += [await subscribed(live) for _ in range(20)]  # of whatever kind
        async with (
            receiving() as elsewhere,
            sending(live, settings_for(receiver, elsewhere), database_urls.app),
        ):
            await an_endpoint(live, neighbour, elsewhere.url)
            await happens(full)
            # Whoever takes another turn now could overdo it; one for a second endpoint tells when.
            beside = await queue(live, neighbour)
            await until(has_state(live, beside, "succeeded", 1))
            assert receiver.most_in_flight == 16
            go_on.set()
            for each in made:
                await until(has_state(live, each, "succeeded", 1))
        assert len(set(receiver.ids())) == 60

    async def test_what_killed_senders_held_takes_no_room(
        self, live, bureau, receiver, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = [await queue(live, bureau) for _ in range(rules.FULL_CONCURRENCY)]
        async with live.begin(SYSTEM) as tx:
            leased = "UPDATE webhook_deliveries SET state = 'leased', lease = gen_random_uuid()"
            await tx.connection.execute(leased)
        async with sending(live, settings_for(receiver), database_urls.app):
            for each in made:
                await until(has_state(live, each, "succeeded", 1))

    async def test_two_senders_share_without_repeating(
        self, live, bureau, receiver, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = [await queue(live, bureau) for _ in range(60)]
        settings = settings_for(receiver)
        async with (
            sending(live, settings, database_urls.app),
            sending(live, settings, database_urls.app),
        ):
            for each in made:
                await until(has_state(live, each, "succeeded", 1))
        assert len(receiver.received) == len(set(receiver.ids())) == 60


class TestAddress:
    async def test_of_a_private_network_is_never_dialled(
        self, live, bureau, receiver, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        settings = settings_for(receiver).model_copy(update={"allowed_networks": ()})
        made = await queue(live, bureau)
        async with sending(live, settings, database_urls.app):
            await until(has_state(live, made, "pending", 1))
        assert receiver.received == []
        (attempt,) = await attempts_of(live, made)
        assert (attempt["error"], attempt["address"]) == ("address_not_allowed", None)


class TestStop:
    async def test_waits_for_what_is_in_flight(self, live, bureau, receiver, database_urls) -> None:
        go_on = asyncio.Event()

        async def wait(_: web.Request) -> web.StreamResponse:
            await go_on.wait()
            return web.Response()

        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [wait]
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app) as stop:
            await until(lambda: receiver.in_flight)
            stop.set()
            go_on.set()
        assert (await row_of(live, made))["state"] == "succeeded"
