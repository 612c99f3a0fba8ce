"""What an endpoint asks for, laid out once at start: what it depends on, in the order it is made.

FastAPI says of each endpoint what it depends on, a tree (`Dependant`), and walks that tree at each
request. Here it is walked when the route is made ([ADR 43]). What a signature means stays the
framework's: it reads the signatures, and its own fields validate what is sent.

[ADR 43]: docs/decisions/0043-a-route-is-solved-once.md
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from fastapi import Request, Response
from fastapi._compat import ModelField, Undefined, get_missing_field_error
from fastapi._compat import field_annotation_is_sequence as is_many
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.security import SecurityScopes
from pydantic import BaseModel

_FAILED: Final = object()
"""In the place of what was not made, since a parameter of it was wrong."""


class _Param(NamedTuple):
    """A parameter of path, query, header or cookie. `read`: what was sent of it, None for nothing;
    `place`: how an error names it.
    """

    name: str
    field: ModelField
    read: Callable[[Request], Any]
    place: tuple[str, str]


class _Step(NamedTuple):
    """One call. `needs`: under which name it is given what which step made; `given`: what is known
    before any request.
    """

    call: Callable[..., Any]
    needs: tuple[tuple[str | None, int], ...]
    params: tuple[_Param, ...]
    body: list[ModelField]
    requests: tuple[str, ...]
    given: dict[str, Any]


class Plan:
    """How the requests of one route are answered. `embed`: each part of a body has a name in it."""

    def __init__(self, endpoint: Dependant, *, embed: bool) -> None:
        self._embed = embed
        self._steps: list[_Step] = []
        self._place(endpoint, {})

    async def answer(self, request: Request, body: Any) -> Response:
        """Make what the endpoint depends on, then have it answer; or raise what the scope holds
        `instead` of its answer. Raises RequestValidationError with all that is wrong with what was
        sent.
        """
        made: list[Any] = []
        errors: list[Any] = []
        for step in self._steps:
            values = {**step.given}
            before = len(errors)
            _read(step.params, request, values, errors)
            if step.body:
                said, wrong = await request_body_to_args(step.body, body, self._embed)
                values |= said
                errors += wrong
            for name in step.requests:
                values[name] = request
            whole = len(errors) == before
            for need, at in step.needs:
                whole = whole and made[at] is not _FAILED
                if need is not None:
                    values[need] = made[at]
            if step is self._steps[-1] and whole and "instead" in request.scope:
                raise request.scope["instead"]
            made.append(await step.call(**values) if whole else _FAILED)
        if errors:
            raise RequestValidationError(errors, body=body)
        response: Response = made[-1]
        return response

    def _place(self, dependant: Dependant, placed: dict[Any, int]) -> int:
        """Put a call behind all it depends on; each is made once a request. Return its place.
        Raises TypeError for what is not given here.
        """
        _refuse_not_given(dependant)
        needs = tuple((each.name, self._place(each, placed)) for each in dependant.dependencies)
        scopes = _scopes(dependant)
        key = dependant.call, tuple(scopes) if _asks_scopes(dependant) else ()
        if key not in placed:
            named = dependant.security_scopes_param_name
            given = {named: SecurityScopes(scopes)} if named else {}
            call: Any = dependant.call
            step = _Step(
                call, needs, _params(dependant), dependant.body_params, _requests(dependant), given
            )
            self._steps.append(step)
            placed[key] = len(self._steps) - 1
        return placed[key]


_NOT_GIVEN: Final = tuple(
    f"{name}_param_name" for name in ("response", "background_tasks", "websocket")
)


def _refuse_not_given(dependant: Dependant) -> None:
    """Raise TypeError for what the framework would give, and this does not."""
    if any(getattr(dependant, name) for name in _NOT_GIVEN) or not dependant.use_cache:
        raise TypeError(
            f"{dependant.call}: a response, tasks or no cache is not given: see solving"
        )


def _scopes(dependant: Dependant) -> list[str]:
    own, above = dependant.own_oauth_scopes or (), dependant.parent_oauth_scopes or ()
    return [*dict.fromkeys((*above, *own))]


def _asks_scopes(dependant: Dependant) -> bool:
    """Tell whether what is made may differ from scope to scope."""
    named = dependant.security_scopes_param_name is not None
    return named or any(map(_asks_scopes, dependant.dependencies))


def _requests(dependant: Dependant) -> tuple[str, ...]:
    """Return under which names a call takes the request."""
    named = dependant.request_param_name, dependant.http_connection_param_name
    return tuple(name for name in named if name is not None)


def _params(dependant: Dependant) -> tuple[_Param, ...]:
    kinds = (
        ("path", dependant.path_params),
        ("query", dependant.query_params),
        ("header", dependant.header_params),
        ("cookie", dependant.cookie_params),
    )
    return tuple(_param(kind, each) for kind, fields in kinds for each in fields)


def _param(kind: str, field: ModelField) -> _Param:
    alias = field.validation_alias or field.alias
    readers: dict[tuple[str, bool], Callable[[Request], Any]] = {
        ("path", False): lambda request: request.path_params.get(alias),
        ("query", False): lambda request: request.query_params.get(alias),
        ("query", True): lambda request: request.query_params.getlist(alias) or None,
        ("header", False): partial(_header, alias.encode()),
        ("cookie", False): lambda request: request.cookies.get(alias),
    }
    many = is_many(field.field_info.annotation)
    if (kind, many) not in readers or _is_model(field.field_info.annotation):
        raise TypeError(
            f"{alias}: a list or model of {kind} parameters is not read: give each value of a model"
            " a parameter of its own; only of a query parameter there may be several (see solving)"
        )
    return _Param(field.name, field, readers[kind, many], (kind, alias))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _header(name: bytes, request: Request) -> str | None:
    for each, value in request.scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


def _read(
    params: Sequence[_Param], request: Request, values: dict[str, Any], errors: list[Any]
) -> None:
    for name, field, read, place in params:
        value = read(request)
        if value is None and field.field_info.is_required():
            errors.append(get_missing_field_error(place))
        elif value is None:
            values[name] = field.get_default()
        else:
            values[name], wrong = field.validate(value, values, loc=place)
            errors += wrong


def body_of(raw: bytes, parsed: Any) -> Any:
    """Return a body as the framework's fields take it, where none was sent, too."""
    return parsed if raw else Undefined
