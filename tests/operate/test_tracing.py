"""Traces go where OTEL's own variables say, and nobody's data with them (ADR 72)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import asyncpg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.core import tracing
from app.core.clock import utc_now
from app.core.data.db import SYSTEM, Database
from app.core.jobs import queue, runner
from scripts import drill
from tests.access.factories import an_agency
from tests.faults.town import free_ports
from tests.waiting import until
from tests.webhooks.workshop import HOME, an_endpoint, receiving, sending, settings_for
from tests.webhooks.workshop import queue as queue_delivery

CANARY = "金丝雀"
NUMBER = "120119201603011234"


class Collector:
    """Receives what OTLP's exporter sends, over HTTP."""

    def __init__(self, port: int) -> None:
        self.bodies: list[bytes] = []
        kept = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", port), Handler)

    def spans(self) -> list[tuple[str, dict[str, str]]]:
        return [
            (
                span.name,
                {
                    each.key: each.value.string_value or str(each.value.int_value)
                    for each in span.attributes
                },
            )
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector(monkeypatch) -> Iterator[Collector]:
    [port] = free_ports(1)
    there = Collector(port)
    listening = threading.Thread(target=there.server.serve_forever)
    listening.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield there
    there.server.shutdown()
    listening.join()
    there.server.server_close()


async def test_a_request_and_its_statements_are_traced_and_nothing_anybody_said(
    live_database, database_urls, keyring, collector
) -> None:
    with tracing.running("web"):
        async with drill.serving(database_urls.app, keyring) as (client, database, settings):
            director = await drill.load(client, database, settings, 1)
            body = drill.file_of(7)
            body["identity"] |= {"name": CANARY}
            sent = {**director.headers, "idempotency-key": CANARY.encode().hex()}
            made = await client.post("/v1/children", json=body, headers=sent)
            assert made.status_code == 201
            body = {CANARY: NUMBER, "identity": CANARY}
            again = sent | {"idempotency-key": f"{sent['idempotency-key']}2"}
            refused = await client.post("/v1/children", json=body, headers=again)
            assert refused.is_client_error
            for path in (f"/v1/children?name={CANARY}", f"/v1/{CANARY}", f"/v1/children/{CANARY}"):
                told = {"user-agent": "canary-agent", "traceparent": f"00-{'c' * 32}-{'d' * 16}-01"}
                await client.request("GET", path, headers=director.headers | told)
            async with database.begin(SYSTEM) as tx:
                await tx.connection.fetch(f"SELECT length('{CANARY}')")
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with database.begin(SYSTEM) as tx:
                    await tx.connection.fetch("SELECT 1 / $1::int", 0)
            child = made.json()["id"]
    seen = collector.spans()
    names = [name for name, _ in seen]
    assert {"createChild", "listChildren", "-", "SELECT", "INSERT"} <= {*names}
    operations = [said for name, said in seen if name == "createChild"]
    assert {"http.response.status_code", "tonghu.request_id"} == {*operations[-1]}
    everything = b"".join(collector.bodies)
    secrets = (
        CANARY,
        NUMBER,
        child,
        "canary-agent",
        "127.0.0.1",
        director.headers["authorization"],
    )
    assert [each for each in secrets if each.encode() in everything] == []
    assert b"\xcc" * 16 not in everything, "a stranger's word of a trace"
    texts = [said["db.query.text"] for _, said in seen if "db.query.text" in said]
    assert any("INSERT INTO children" in text for text in texts)
    assert any("length('?')" in text for text in texts)
    assert any("error.type" in said for _, said in seen)


async def test_jobs_and_deliveries_are_traced_by_name_and_endpoint(
    live_database, database_urls, collector
) -> None:
    database = Database(live_database.engine, live_database.keyring, utc_now)
    agency = await an_agency(database, "police", HOME)
    begin = partial(database.begin, SYSTEM)
    async with receiving() as receiver:
        endpoint, _ = await an_endpoint(database, agency, f"{receiver.url}/{CANARY.encode().hex()}")
        await queue_delivery(database, agency)
        async with begin() as tx:
            await queue.enqueue(tx.connection, "webhooks.announce_overdue", [{}])
        with tracing.running("worker"):
            async with sending(database, settings_for(receiver), database_urls.app):
                await until(lambda: receiver.received)
            doing = runner._Worker(begin, database.clock, runner.Limits())
            async with begin() as tx:
                named = ["webhooks.announce_overdue"]
                [row] = await tx.connection.fetch(runner._CLAIM, named, 1, timedelta(minutes=1))
            await runner._execute(doing, row)
    seen = dict(collector.spans())
    assert "job webhooks.announce_overdue" in seen
    assert str(endpoint) in seen["delivery"]["tonghu.endpoint"]
    assert "200" in seen["delivery"]["http.response.status_code"]
    everything = b"".join(collector.bodies)
    assert [
        each
        for each in (CANARY.encode().hex(), str(agency), receiver.url)
        if each.encode() in everything
    ] == []


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "a"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_it_is_off_unless_otels_own_variables_ask_for_it(said, asked) -> None:
    assert tracing.wanted(said) is asked


def test_who_does_not_ask_for_it_loads_nothing_of_it() -> None:
    program = (
        "import sys; from app import main, worker; from app.core import tracing\n"
        "with tracing.running('web'): main.create_app()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"


def test_who_asks_for_it_and_has_not_installed_it_is_told_so(monkeypatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(tracing.NoTracing, match="pip install"), tracing.running("web"):
        pass
