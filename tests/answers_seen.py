"""Every answer of the app under test, held against the document when all tests have run.

A problem documented is one a test got over HTTP: what an operation lists, from that operation;
what the document adds by itself, from any. A problem, status or header nobody documented is a gap.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import main
from app.api import openapi
from app.core.problems import MEDIA_TYPE
from app.core.settings import Settings

Json = dict[str, Any]

ALWAYS = ("etag", "location")
HEADERS = (*ALWAYS, "preference-applied")
"""What is declared is always sent; the last only when it was asked for."""
KEPT = "answers_seen"
GAPS = pytest.StashKey[list[str]]()


class Answer(NamedTuple):
    """What left the app: of a failure the problem, and which of HEADERS it had."""

    operation: str
    status: int
    problem: str = ""
    headers: tuple[str, ...] = ()


class Recorder:
    """ASGI middleware around everything else."""

    seen: set[Answer] = set()  # noqa: RUF012  of the whole run

    def __init__(self, app: ASGIApp, *, under_test: FastAPI) -> None:
        self.app = app
        self.routes = [
            (route.methods, route.path, route.path_regex, route.unique_id)
            for route in openapi.described(under_test)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._operation(scope) if scope["type"] == "http" else None
        if operation is None:
            await self.app(scope, receive, send)
            return
        started: Message = {}
        body = b""

        async def note(message: Message) -> None:
            nonlocal body
            started.update(message if message["type"] == "http.response.start" else {})
            body += message.get("body", b"")
            await send(message)

        await self.app(scope, receive, note)
        if started:
            self.seen.add(_answer(operation, started, body))

    def _operation(self, scope: Scope) -> str | None:
        """Find which operation a request is for; a path without parameters comes first."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        here = [route for route in self.routes if route[2].match(scope["path"])]
        exact = [route for route in here if route[1] == scope["path"]]
        return next((name for methods, _, _, name in exact or here if method in methods), None)


def _answer(operation: str, started: Message, body: bytes) -> Answer:
    headers = {name.decode().lower(): value.decode() for name, value in started["headers"]}
    status = started["status"]
    sent = tuple(name for name in HEADERS if name in headers)
    if headers.get("content-type") == MEDIA_TYPE and body:
        return Answer(operation, status, orjson.loads(body)["type"].rpartition("/")[2], sent)
    return Answer(operation, status, "", sent)


def gaps_now(seen: Iterable[Answer]) -> list[str]:
    """Compare what was seen with the document of the app as it is."""
    app = main.create_app(Settings(environment="test"))
    document = openapi.document(app)
    operations = _operations(document)
    implied = {
        route.unique_id: {
            kind.slug() for kind in openapi.implied(operations[route.unique_id], route.dependant)
        }
        for route in openapi.described(app)
    }
    return sorted(gaps(document, implied, set(seen)))


def gaps(document: Json, implied: Mapping[str, set[str]], seen: set[Answer]) -> Iterator[str]:
    """Say what is documented and was not seen, and what was seen and is not documented."""
    documented = {
        (name, int(status), slug)
        for name, operation in _operations(document).items()
        for status, response in operation["responses"].items()
        for slug in _problems(_resolved(document, response))
    }
    problems = {(name, status, slug) for name, status, slug, _ in seen if slug}
    raised = {slug for _, _, slug in problems}
    for name, status, slug in documented - problems:
        if slug not in implied[name]:
            yield f"{name} lists {status} {slug}, and no test got it"
    for slug in {slug for _, _, slug in documented} - raised:
        yield f"{slug} is documented, and no test got it from any operation"
    for name, status, slug in problems - documented:
        yield f"{name} answered {status} {slug}, which it does not document"
    yield from _successes(document, seen)
    yield from _headers(document, seen)


def _successes(document: Json, seen: set[Answer]) -> Iterator[str]:
    operations = _operations(document)
    for name, status, slug, sent in seen:
        if slug:
            continue
        response = operations[name]["responses"].get(str(status))
        if response is None:
            yield f"{name} answered {status}, which it does not document"
            continue
        declared = {header.lower() for header in response.get("headers", ())} & {*ALWAYS}
        for header in declared.difference(sent):
            yield f"{name} declares {header} of its {status}, and a test saw none"


def _headers(document: Json, seen: set[Answer]) -> Iterator[str]:
    operations = _operations(document)
    for name, status, _, sent in seen:
        response = operations[name]["responses"].get(str(status), {})
        declared = {header.lower() for header in _resolved(document, response).get("headers", ())}
        for header in {*sent} - declared:
            yield f"{name} sent {header} with its {status}, which does not declare it"


def _operations(document: Json) -> dict[str, Json]:
    return {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }


def _resolved(document: Json, response: Json) -> Json:
    name = response.get("$ref", "").rpartition("/")[2]
    found: Json = document["components"]["responses"].get(name, response)
    return found


def _problems(response: Json) -> list[str]:
    return [*response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())]


# Hooks of pytest. With pytest-xdist each worker hands over what it saw, and the controller judges.


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Collect what a worker saw."""
    Recorder.seen |= {Answer(*each) for each in getattr(node, "workeroutput", {}).get(KEPT, ())}


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let a whole run fail if document and answers are apart."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput[KEPT] = [tuple(each) for each in Recorder.seen]
        return
    if exitstatus == pytest.ExitCode.OK and not _left_out(config):
        config.stash[GAPS] = gaps_now(Recorder.seen)
        if config.stash[GAPS]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the gaps, or why nobody looked for them."""
    found = terminalreporter.config.stash.get(GAPS, None)
    if found:
        terminalreporter.section("the document and the answers seen are apart")
        terminalreporter.write_line("\n".join(found))
    elif found is None:
        terminalreporter.write_line(
            "Only a whole run that passes holds the answers seen against the document."
        )


def _left_out(config: pytest.Config) -> bool:
    """Tell whether some tests were not asked for."""
    option = config.option
    marked = option.markexpr not in {"", "not long"}
    chosen = (option.keyword, marked, option.deselect, option.ignore, option.ignore_glob)
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return True
    return any(chosen) or getattr(option, "lf", False) or option.collectonly
