"""Traces for OpenTelemetry: requests, statements, jobs and deliveries; `pip install tonghu[otel]`.

Off unless OTEL's own variables say where they go, as OTEL_EXPORTER_OTLP_ENDPOINT does; then nothing
of it is imported. A span says which operation, job or endpoint, and how it ended: no path, no
address, no value of a statement, no message of an exception. What callers say of a trace is not
taken over, and receivers are told of none (ADR 72).
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WHERE: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_MOST: Final = 2_000
_NOTHING: Final = nullcontext()
_tracer: Any = None


class NoTracing(Exception):
    """OTEL_… says where traces go, and what makes them is not installed."""


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether OTEL's variables ask for traces."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    return not off and exporter == "otlp" and any(map(environment.get, _WHERE))


@contextmanager
def running(part: str) -> Iterator[None]:
    """Send traces of this process, if they are wanted, while the block runs. Raises NoTracing."""
    global _tracer  # noqa: PLW0603  one for a process, and None where nobody asked
    if not wanted():
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise NoTracing(
            "OTEL_EXPORTER_OTLP_… asks for traces, and OpenTelemetry is not installed:"
            " `pip install tonghu[otel]`, or leave the variable out."
        ) from None
    name = os.environ.get("OTEL_SERVICE_NAME", "tonghu")
    provider = TracerProvider(resource=Resource.create({"service.name": f"{name}-{part}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("tonghu")
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def span(name: str, **attributes: str) -> AbstractContextManager[Any]:
    """Time a block; yields the span, None if nobody asked. Attributes are names and ids of ours."""
    if _tracer is None:
        return _NOTHING
    block: AbstractContextManager[Any] = _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    )
    return block


def listen(connection: Any) -> None:
    """Have a connection tell of its statements, if traces are wanted."""
    if _tracer is not None:
        connection.add_query_logger(_statement)


def _statement(done: Any) -> None:
    """Keep how long a statement took, and its text; asyncpg has its values apart."""
    if _tracer is None:  # it came back while the process was ending
        return
    text = _LITERAL.sub("'?'", done.query)[:_MOST]
    now = time.time_ns()
    attributes = {"db.system.name": "postgresql", "db.query.text": text}
    if done.exception is not None:
        attributes["error.type"] = type(done.exception).__qualname__
    began = now - int(done.elapsed * 1e9)
    name = (text.split(maxsplit=1) or ["statement"])[0].upper()
    _tracer.start_span(name, start_time=began, attributes=attributes).end(now)


class Traced:
    """ASGI middleware around everything else, where traces are wanted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with span("-") as told:

            async def answer(message: Message) -> None:
                if told is not None and message["type"] == "http.response.start":
                    told.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self.app(scope, receive, answer)
            finally:
                if told is not None:
                    told.update_name(getattr(scope.get("route"), "unique_id", "-"))
                    told.set_attribute("tonghu.request_id", scope.get("request_id", "-"))
