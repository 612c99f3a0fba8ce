"""The outermost layer: one exchange gets an id, safe headers, a log line and a count (IN-8, IN-10).

Pure ASGI. Whatever escapes everything below is answered here as a 500 problem. HEAD is answered
like GET, without the body (IN-5). Neither paths nor query strings are logged: an operation's name
says what was done, its ids stand in the audit.
"""

import time
from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.data.db import Database
from app.core.http.proxies import Networks, unwrap
from app.core.ids import new_id
from app.core.metrics import OTHER, Figures
from app.core.problems import Cause, Problem, response_to

log = structlog.get_logger("tonghu.http")

_SAFE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_CALLER_GONE = 499
"""Logged when the caller hung up before there was an answer."""


class InternalError(Problem, status=500):
    """A fault of ours. Nothing was stored; the log has the request id."""

    title = "Internal error; nothing was stored"
    title_zh = "内部错误;没有保存任何内容"


class Exchange:
    """ASGI middleware around everything else."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        figures: Figures,
        https_only: bool = False,
        trusted_proxies: Networks = (),
    ) -> None:
        self.app = app
        self.figures = figures
        self.trusted = trusted_proxies
        self.headers = (*_SAFE, _HTTPS_ONLY) if https_only else _SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        inner = dict(scope) if scope["method"] == "HEAD" else scope
        if inner is not scope:
            inner["method"], inner["asked_as"] = "GET", "HEAD"
        request_id = inner["request_id"] = unwrap(inner, self.trusted) or str(new_id())
        inner["figures"] = self.figures
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                own = (*self.headers, (b"x-request-id", request_id.encode()))
                own = (*own, *inner.get("answer_headers", ()))
                message["headers"] = headers + [pair for pair in own if pair[0] not in present]
            elif inner is not scope:
                if message.get("more_body"):  # pragma: no cover  an answer in pieces
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self.app(inner, receive, answer)
        except Exception:
            log.exception("fault", request_id=request_id)
            if not status:
                response = response_to(Request(inner), InternalError())
                await response(inner, receive, answer)
        finally:
            _note(inner, status, time.perf_counter() - started)


def _note(scope: Scope, status: int, seconds: float) -> None:
    operation = getattr(scope.get("route"), "unique_id", OTHER)
    answered = status or _CALLER_GONE
    database: Database | None = scope.get("state", {}).get("database")
    pool = (database.in_use, database.size) if database else (0, 0)
    cause = _why(scope, answered)
    scope["figures"].note(operation, answered, seconds, pool=pool, cause=cause)
    caller: Any = scope.get("caller")
    log.info(
        "request",
        operation=operation,
        status=answered,
        ms=round(seconds * 1000, 1),
        request_id=scope["request_id"],
        client=str(caller.client_id) if caller else None,
        agency=str(caller.agency_id) if caller else None,
        cause=cause,
    )


def _why(scope: Scope, status: int) -> Cause | None:
    """Say why somebody was told to come back."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Cause.asked_too_much
    return scope.get("cause", Cause.other) if status == HTTPStatus.SERVICE_UNAVAILABLE else None
