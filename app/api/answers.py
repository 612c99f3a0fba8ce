"""Every failure leaves as an RFC 9457 problem that repeats nothing of the input (IN-4, IN-10)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from app.core.http import routing
from app.core.http.details import words_of
from app.core.http.exchange import InternalError
from app.core.problems import FieldError, Problem, pointer_to, response_to

_NO_FIELD: Final = "extra_forbidden"


class ValidationFailed(Problem, status=422):
    """The body breaks a rule of its schema."""

    title = "The request breaks a rule"
    title_zh = "请求内容不符合规则"


class ParameterInvalid(Problem, status=400):
    """A path, query or header parameter breaks a rule of its schema."""

    title = "A parameter is missing or malformed"
    title_zh = "参数缺失或格式有误"


class NotFound(Problem, status=404):
    """No such path."""

    title = "There is nothing here"
    title_zh = "此处没有内容"


class MethodNotAllowed(Problem, status=405):
    """The path exists, the method does not."""

    title = "This path does not support the method"
    title_zh = "该路径不支持此方法"


class BadRequest(Problem, status=400):
    """The request cannot be read."""

    title = "The request cannot be read"
    title_zh = "无法读取请求"


async def answer_problem(request: Request, problem: Exception) -> Response:
    return response_to(request, problem if isinstance(problem, Problem) else InternalError())


async def answer_invalid(request: Request, invalid: Exception) -> Response:
    """Answer a validation failure: places and rule names, never the values (F5)."""
    found = invalid.errors() if isinstance(invalid, RequestValidationError) else []
    body = getattr(invalid, "body", None)
    errors = [
        FieldError(_pointer(error), error["type"].replace("-", "_"), _detail(error, body))
        for error in found[:100]
    ]
    in_body = any(error["loc"][:1] == ("body",) for error in found)
    problem = ValidationFailed(errors=errors) if in_body else ParameterInvalid(errors=errors)
    return response_to(request, problem)


def _pointer(error: Mapping[str, Any]) -> str:
    place, *path = error["loc"]
    if place != "body":
        return str(path[0] if path else place)  # a parameter's name is ours
    told = pointer_to(*path)
    return told if error["type"] == _NO_FIELD else told.rstrip("/?") or "#"


def _detail(error: Mapping[str, Any], body: Any) -> str:
    """Say what is wrong; of a field that does not exist which it is: its name is not repeated."""
    said = words_of(error)
    if error["type"] != _NO_FIELD:
        return said
    *above, name = error["loc"][1:]
    for step in above:
        body = body[step]
    return f"{said[:-1]}; it is number {[*body].index(name) + 1} of its object."


async def answer_http(request: Request, error: Exception) -> Response:
    """Answer what the framework raises itself: unknown path, wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"allow": _allowed(request)}
    kinds: dict[int, type[Problem]] = {404: NotFound, 405: MethodNotAllowed, 400: BadRequest}
    return response_to(request, kinds.get(status, InternalError)(headers=headers))


def _allowed(request: Request) -> str:
    """List every method any operation on this path has (RFC 9110 §15.5.6, IN-5)."""
    path = request.scope["path"]
    concrete = path in routing.concrete_paths(request.app)
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path == path if concrete else route.path_regex.match(path):
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(HTTPException, answer_http)
