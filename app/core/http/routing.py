"""How every request runs: strict input, one transaction, committed before the answer (D2, F1).

`Route` opens the transaction around FastAPI's own handler, so the commit happens after the answer
is serialised and before it is sent. In that same transaction it has the audit row written (AUD-1)
and stores the answer of an Idempotency-Key. What an endpoint must do besides its work stands here.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache, wraps
from inspect import get_annotations, iscoroutinefunction
from typing import Annotated, Any, TypeVar, get_args, get_origin
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.data.db import Database, Tx
from app.core.data.recording import RecordAway
from app.core.data.replica import Replica
from app.core.data.wrong_keys import KeysWrong
from app.core.http import idempotency
from app.core.http.bodies import MalformedRequest, StrictRequest, read_json, refuse_body, taken_by
from app.core.http.preconditions import etag
from app.core.http.shown import Answered, Seen, Shown, json_of
from app.core.http.solving import Plan, body_of
from app.core.problems import Problem

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Route(APIRoute):
    """The route class of every router."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["response_model"] = shows(endpoint)
        self.reads = "GET" in (options.get("methods") or ()) or reading(endpoint) is not None
        super().__init__(path, _answering(endpoint), **options)
        _refuse_threads(self.dependant)
        _refuse_plain(endpoint)
        # The framework wraps it in stacks for dependencies that end, of which we have none, and
        # hands exceptions to the same handlers that stand around all routes.
        self.app = _asgi(self.run)

    def get_route_handler(self) -> Handler:
        self.solved = handler = _solved(self)
        # A page for browsers is in no document; it ignores parameters it does not know, as OAuth
        # demands of the authorization endpoint (RFC 6749 §3.1).
        query_names = _query_names(self.dependant) if self.include_in_schema else None
        reads_json = self.body_field is not None
        reads_none = not reads_json and query_names is not None and self.methods != {"GET"}
        reads_none = reads_none and self.path.startswith("/v1/")  # forms are read by who takes them
        early = _first(self.dependant)
        meanwhile = _meanwhile(self)
        taken = taken_by(self)
        evidence = taken.get("evidence", False)
        templated = bool(self.param_convertors)

        async def run(request: Request) -> Response:
            wrong = request.state.database.wrong_keys
            if wrong is not None and not (meanwhile and wrong.verifying):
                raise KeysWrong
            if templated and request.scope["path"] in concrete_paths(request.app):
                raise HTTPException(405)  # OpenAPI 3.1 §4.8.8.2: a concrete path comes first
            strict = StrictRequest(request.scope, request.receive)
            if evidence:
                idempotency.count_as_none_if_unusable(strict)
            elif query_names is not None:
                _refuse_unknown_query(strict, query_names)
            if reads_json:
                await read_json(strict, **taken)
            elif reads_none:
                await refuse_body(strict)
            for step in early:
                await step(strict)
            return await _recorded(strict, handler, self.status_code or 200, meanwhile)

        self.run = run
        return run


Settle = Callable[[Tx, Shown[Any], UUID | None], Coroutine[Any, Any, tuple[UUID, ...]]]
"""Judges what was done, and about what, before it is committed and answered: it may refuse it.
Returns what else the audit is to name.
"""
Step = Callable[[Request], Coroutine[Any, Any, None]]


def settle_with(request: Request, settle: Settle) -> None:
    """Have a request's answer settled. Said by a dependency, so that the route declares it."""
    request.scope["settle"] = settle


def before(step: Step) -> Callable[[Endpoint], Endpoint]:
    """Have `step(request)` run before the transaction of an endpoint begins, or of each that has
    the decorated dependency: work that takes long, or needs no connection. What it found it leaves
    in the request's scope.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["before"] = step
        return endpoint

    return mark


def meanwhile(other: Callable[..., Any]) -> Callable[[Endpoint], Endpoint]:
    """Have `other` answer 202 in the endpoint's place while nothing can be recorded or keys are
    wrong: it takes in what the endpoint will be given later, and shows no more than was sent.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["meanwhile"] = other
        return endpoint

    return mark


def kept_by(again: idempotency.Again) -> Callable[[Endpoint], Endpoint]:
    """Say that the endpoint keeps its answers itself: for a key `again` writes them anew."""

    def mark(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["again"] = again
        return endpoint

    return mark


def shows(endpoint: Any) -> Any:
    """Return what an endpoint's `Shown[…]` holds, None for one that answers by itself."""
    returned = get_annotations(endpoint).get("return")
    return get_args(returned)[0] if get_origin(returned) is Shown else None


def _answering(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Let a `Shown` pass the framework as the response it will become; ask a replica for it, where
    the endpoint says that it only reads.
    """
    if shows(endpoint) is None:
        return endpoint
    if (name := reading(endpoint)) is not None:
        return _elsewhere(endpoint, name)

    @wraps(endpoint)
    async def answer(*args: Any, **kwargs: Any) -> Response:
        shown = await endpoint(*args, **kwargs)
        return shown if isinstance(shown, Response) else Answered(shown)

    return answer


def _solved(route: APIRoute) -> Handler:
    """Return what has a route's endpoint answer, with all it asks for."""
    plan = Plan(route.dependant, embed=route._embed_body_fields)  # noqa: SLF001  as it reads bodies

    async def answer(request: Request) -> Response:
        body = body_of(await request.body(), await request.json()) if route.body_field else None
        return await plan.answer(request, body)

    return answer


def _asgi(run: Handler) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await run(Request(scope, receive))
        await response(scope, receive, send)

    return app


async def _transaction(request: Request) -> Tx:
    tx: Tx = request.scope["tx"]
    return tx


Transaction = Annotated[Tx, Depends(_transaction)]
"""The transaction of this request, opened and committed by `Route`."""


async def _itself(request: Request) -> Request:
    return request


ReadTransaction = Annotated[Tx, Depends(_itself)]
"""A transaction that only reads: on the replica, if there is one that has all that was committed
by now; else that of this request. For lists, searches and counts. The endpoint may be called twice:
a replica that goes away under way is given up for the primary.
"""


def reading(endpoint: Any) -> str | None:
    """Return which parameter of an endpoint is a `ReadTransaction`."""
    said = get_annotations(endpoint).items()
    return next((name for name, what in said if what == ReadTransaction), None)


def _elsewhere(endpoint: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(endpoint)
    async def answer(**given: Any) -> Response:
        request: Request = given.pop(name)  # `_itself`
        tx: Tx = request.scope["tx"]
        replica: Replica | None = request.state.replica

        async def ask(where: Tx) -> Any:
            return await endpoint(**given, **{name: where})

        if replica is None:
            return Answered(await ask(tx))
        shown, stood = await replica.read(tx, request.scope["reach"](), ask)
        request.scope["figures"].looked_up(stood, now=replica.standing)
        return Answered(shown)

    return answer


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function: `record_visit` → `recordVisit`."""
    head, *rest = route.name.split("_")
    return head + "".join(word.title() for word in rest)


@cache
def concrete_paths(app: FastAPI) -> frozenset[str]:
    """Collect the paths of an app that name no parameter, such as `/v1/children/search`."""
    paths = (route.path or "{" for route in iter_route_contexts(app.routes))
    return frozenset(path for path in paths if "{" not in path)


def router(tag: str, prefix: str = "") -> APIRouter:
    """Make a router: one tag, every route a `Route`."""
    return APIRouter(
        prefix=prefix, tags=[tag], route_class=Route, generate_unique_id_function=operation_id
    )


def v1(tag: str, prefix: str = "") -> APIRouter:
    """Make the router of a feature under /v1. It says so itself: including it under a prefix would
    solve every route a second time.
    """
    return router(tag, f"/v1{prefix}")


def _first(dependant: Dependant) -> list[Step]:
    """Collect what runs before the transaction: of what an operation depends on, then its own."""
    inner = [step for each in dependant.dependencies for step in _first(each)]
    own = getattr(dependant.call, "before", None)
    return [*dict.fromkeys([*inner, *([own] if own else [])])]


def raised_by(dependant: Dependant) -> frozenset[type[Problem]]:
    """Collect what an operation's dependencies say they raise (`problems.raises`)."""
    own: tuple[type[Problem], ...] = getattr(dependant.call, "raises", ())
    return frozenset(own).union(*map(raised_by, dependant.dependencies))


def _refuse_threads(dependant: Dependant) -> None:
    """Raise TypeError for an endpoint or a dependency that is no coroutine: the framework would run
    it in a thread, which costs more than most of them do, and outside of the request's timeout.
    """
    call: Any = dependant.call
    if not (iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)):
        raise TypeError(f"{getattr(call, '__qualname__', call)}: say `async def`")
    for each in dependant.dependencies:
        _refuse_threads(each)


def _refuse_plain(endpoint: Any) -> None:
    """Raise TypeError for an endpoint that returns what nobody makes an answer of."""
    kind = get_annotations(endpoint).get("return")
    if shows(endpoint) is None and not (isinstance(kind, type) and issubclass(kind, Response)):
        raise TypeError(f"{endpoint.__qualname__}: return `Shown[…]` or a response")


def _meanwhile(route: APIRoute) -> Handler | None:
    """Return what handles a request of this route while nothing can be recorded or opened."""
    if (other := getattr(route.endpoint, "meanwhile", None)) is None:
        return None
    stand_in = APIRoute(route.path, _answering(other), response_model=None)
    _refuse_threads(stand_in.dependant)
    return _solved(stand_in)


async def _recorded(
    request: StrictRequest, handler: Handler, status: int, meanwhile: Handler | None
) -> Response:
    """Answer what can be recorded, else have it taken in. Raises RecordAway, at once and with no
    connection held, as soon as it is known that nothing can.
    """
    database: Database = request.state.database
    recording, has_keys = database.recording, database.wrong_keys is None
    if has_keys and (recording.missing is None or not await recording.is_away()):
        try:
            return await _in_transaction(request, handler, status)
        except RecordAway:
            if meanwhile is None:
                raise
    if meanwhile is None:
        raise RecordAway
    for gone in ("caller", "instead"):  # opened in the transaction that has gone
        request.scope.pop(gone, None)
    return await _in_transaction(request, meanwhile, 202, recorded=False)


async def _in_transaction(
    request: StrictRequest, handler: Handler, status: int, *, recorded: bool = True
) -> Response:
    """Run a request as one transaction. Not `recorded`: but for what it refuses."""
    database: Database = request.state.database
    tx: Tx | None = None
    try:
        async with database.begin() as tx:
            request.scope["tx"] = tx
            try:
                response = await handler(request)
            except idempotency.Replayed as replay:
                if recorded:
                    await tx.witnessed(replay.seen)
                return replay.response
            seen, receipt = Seen(), False
            if isinstance(response, Answered):
                shown, receipt = response.shown, response.shown.receipt
                seen = shown.seen(shown.subject or _named(request))
                if (settle := request.scope.get("settle")) is not None:
                    beside = await settle(tx, shown, seen.subject)
                    seen = replace(seen, beside=(*seen.beside, *beside))
                if recorded:
                    await tx.witnessed(seen)
                response = _response(request, shown, seen.subject, status)
            await idempotency.keep(tx, request, response, seen, receipt=receipt)
            return response
    except Problem as raised:
        problem = idempotency.out_of_sight(request, raised)
        if tx is not None and (problem.denies or problem.children):
            refusal = Seen(problem.children, (), _named(request), None, "denied", problem.slug())
            async with database.begin() as after:
                await tx.witnessed(refusal, after)
                if problem.kept is not None:
                    await problem.kept(after)
        raise problem from None


def _response(request: Request, shown: Shown[Any], subject: UUID | None, status: int) -> Response:
    made = status in {201, 202}  # or was when it was sent first
    headers = dict(shown.headers)
    if shown.version is not None:
        headers["etag"] = etag(shown.version)
    if made and shown.status is None and (place := _place_of(request, subject)):
        headers.setdefault("location", place)
    return Response(
        json_of(shown.value),
        shown.status or (status if shown.is_new else 200),
        headers,
        media_type="application/json",
    )


def _named(request: Request) -> UUID | None:
    """Return the id the path names first."""
    try:
        return UUID(next(iter(request.path_params.values()), ""))
    except ValueError:
        return None


def _place_of(request: Request, subject: UUID | None) -> str | None:
    """Return where the resource can be read: under its id, in the collection posted to or into."""
    path: str = request.scope["path"]
    if request.path_params:
        path = path.partition(f"/{next(iter(request.path_params.values()))}")[0]
    return f"{path}/{subject}" if subject and path in collections(request.app) else None


@cache
def collections(app: FastAPI) -> frozenset[str]:
    """Collect the paths P of an app for which `GET P/{id}` reads one."""
    reads = (
        (route.path or "").rpartition("/{")
        for route in iter_route_contexts(app.routes)
        if "GET" in (route.methods or ())
    )
    return frozenset(path for path, _, name in reads if path and name.endswith("}"))


def _query_names(dependant: Dependant) -> frozenset[str]:
    names = frozenset(field.alias for field in dependant.query_params)
    return names.union(*map(_query_names, dependant.dependencies))


def _refuse_unknown_query(request: Request, known: frozenset[str]) -> None:
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known or name in seen:
            code = "parameter_repeated" if name in seen else "parameter_unknown"
            names = ", ".join(sorted(known)) or "none"
            raise MalformedRequest.at("query", code, f"Known parameters: {names}.")
        seen.add(name)
