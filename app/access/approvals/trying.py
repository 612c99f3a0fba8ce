"""A request that takes two people, tried before it is approved: done, and taken back.

So whoever proposes or approves may do it themselves, its body is judged by the operation's own
model, and what cannot be done is not approved.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple, cast

import orjson
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from starlette.routing import Match
from starlette.types import Message

from app.access.acts import Afterwards, Guard
from app.access.approvals.acts import NotGuarded, NotYoursToPropose, ProposalUnsound
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.http.bodies import StrictRequest
from app.core.http.preconditions import TRIED
from app.core.http.routing import Route
from app.core.http.shown import Answered, Shown
from app.core.problems import Problem

_NOT_SENT_ON: Final = frozenset({b"idempotency-key", b"approval", b"content-type"})
_DENIED: Final = frozenset({403, 404})
_OF_THE_MOMENT: Final = 429
"""From here on a status says nothing of the request itself."""


class Said(NamedTuple):
    """A request, as somebody proposes it."""

    operation: str
    path: str
    body: Mapping[str, Any] | None

    @property
    def text(self) -> bytes:
        """The whole of it in one spelling: what is approved is this and nothing else."""
        said = [self.operation, self.path, self.body]
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def guard_of(dependant: Dependant) -> Guard | Afterwards | None:
    """Return what a route declares of two people, by one of its dependencies."""
    own: Guard | Afterwards | None = getattr(dependant.call, "guard", None)
    for each in dependant.dependencies:
        own = own or guard_of(each)
    return own


@cache
def guarded(app: FastAPI) -> Mapping[str, tuple[Route, Guard]]:
    """Collect the routes of an app that may take two people, by operationId."""
    routes = (route for route in app.routes if isinstance(route, Route))
    declared = ((route, guard_of(route.dependant)) for route in routes)
    return {
        route.unique_id: (route, guard) for route, guard in declared if isinstance(guard, Guard)
    }


@cache
def _operations(app: FastAPI) -> frozenset[str]:
    return frozenset(each.unique_id for each in app.routes if isinstance(each, Route))


@cache
def scope_of(app: FastAPI, operation: str) -> str:
    """Return the scope that an operation needs."""
    routes = (each for each in app.routes if isinstance(each, Route))
    return next(min(_scopes(each.dependant)) for each in routes if each.unique_id == operation)


def _scopes(dependant: Dependant) -> set[str]:
    return {*(dependant.own_oauth_scopes or ())}.union(*map(_scopes, dependant.dependencies))


async def tried(tx: Tx, request: Request, principal: Principal, said: Said) -> Shown[Any]:
    """Do as somebody what a request says, and take it back; return what it would have answered, if
    it takes two people. Raises NotGuarded, NotYoursToPropose, ProposalUnsound, and
    RequestValidationError of the `body`.
    """
    if said.operation not in _operations(request.app):
        raise NotGuarded.at("#/operation", "operation_unknown", "No operation is called so.")
    if said.operation not in guarded(request.app):
        raise NotGuarded.at("#/operation", "not_guarded", "docs/roles.md says what takes two.")
    route, guard = guarded(request.app)[said.operation]
    found = _matched(route, said.path)
    if found is None:
        raise NotGuarded.at("#/path", "path_of_another_operation", "It is not this operation's.")
    if said.body and route.body_field is None:
        raise ProposalUnsound.at(
            "#/body", "body_unread", "This operation reads no body: send none."
        )
    try:
        async with tx.taken_back():
            answer = await route.solved(_request(request, principal, route, found, said))
    except RequestValidationError as wrong:
        inside = [_inside(error) for error in wrong.errors()]
        raise RequestValidationError(inside, body={"body": said.body}) from None
    except Problem as refused:
        raise refusal(refused) from None
    shown = cast("Answered", answer).shown  # as all of /v1 does
    if not guard.asks(principal, shown.about, tx.today):
        raise NotGuarded.at("#/operation", "one_person_may", guard.en)
    return shown


def _matched(route: Route, path: str) -> dict[str, Any] | None:
    scope = {"type": "http", "method": method_of(route), "path": path}
    match, found = route.matches(scope)
    return found["path_params"] if match is Match.FULL else None


def method_of(route: Route) -> str:
    """Return the one method of an operation."""
    return next(iter(route.methods or ()))


def _request(
    request: Request, principal: Principal, route: Route, found: dict[str, Any], said: Said
) -> StrictRequest:
    raw = b"" if said.body is None else orjson.dumps(said.body)
    headers = [each for each in request.scope["headers"] if each[0] not in _NOT_SENT_ON]

    async def receive() -> Message:
        return {"type": "http.request", "body": raw}

    scope = {
        **request.scope,
        "method": method_of(route),
        "path": said.path,
        "path_params": found,
        "query_string": b"",
        "headers": [*headers, (b"content-type", b"application/json")],
        "route": route,
        "caller": principal,
        TRIED: True,
    }
    strict = StrictRequest(scope, receive)
    strict.parsed = said.body
    return strict


def _inside(error: Mapping[str, Any]) -> dict[str, Any]:
    """Say where in the proposal it is that the body breaks a rule."""
    place, *path = error["loc"]
    return {**error, "loc": ("body", "body", *path) if place == "body" else (place, *path)}


def refusal(refused: Problem) -> Problem:
    """Say of a proposal what the operation says of the request; what passes is told as it is."""
    if refused.status >= _OF_THE_MOMENT:
        return refused
    kind = NotYoursToPropose if refused.status in _DENIED else ProposalUnsound
    return kind(f"{refused.slug()}: {refused.title}", errors=refused.errors)
