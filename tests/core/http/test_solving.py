"""What an endpoint asks for is made in order, once, and told as the framework tells it (D2)."""

import asyncio
from typing import Annotated, Any

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    Header,
    Path,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.dependencies.utils import get_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from pydantic import BaseModel

from app.core.http.solving import Plan, body_of

made: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    made.clear()


async def first(page: Annotated[int, Query(ge=1)] = 1) -> int:
    made.append("first")
    return page


async def second(found: Annotated[int, Depends(first)]) -> int:
    made.append("second")
    return found + 1


async def allowed(required: SecurityScopes, found: Annotated[int, Depends(first)]) -> list[str]:
    made.append("allowed")
    return required.scopes


async def of_scope(scopes: Annotated[list[str], Depends(allowed)]) -> list[str]:
    return scopes


def a_request(query: str = "", headers: dict[str, str] | None = None, **path: str) -> Request:
    return Request(
        {
            "type": "http",
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
            "path_params": path,
        }
    )


def answer(endpoint: Any, request: Request, body: Any = None, path: str = "/") -> Any:
    plan = Plan(get_dependant(path=path, call=endpoint), embed=False)
    return asyncio.run(plan.answer(request, body))


def wrong(endpoint: Any, request: Request, body: Any = None) -> list[tuple[Any, ...]]:
    with pytest.raises(RequestValidationError) as refused:
        answer(endpoint, request, body)
    return [each["loc"] for each in refused.value.errors()]


async def asks(
    request: Request,
    two: Annotated[int, Depends(second)],
    one: Annotated[int, Depends(first)],
    kind: Annotated[list[str] | None, Query()] = None,
    purpose_of_use: Annotated[str, Header(max_length=4)] = "care",
    flow: Annotated[str | None, Cookie()] = None,
) -> Any:
    made.append("asks")
    return one, two, kind, purpose_of_use, flow, request


def test_each_is_made_once_before_who_needs_it() -> None:
    request = a_request("page=3&kind=a&kind=b", {"purpose-of-use": "duty", "cookie": "flow=x"})
    assert answer(asks, request) == (3, 4, ["a", "b"], "duty", "x", request)
    assert made == ["first", "second", "asks"]


def test_what_was_not_sent_is_what_the_signature_says() -> None:
    assert answer(asks, request := a_request()) == (1, 2, None, "care", None, request)


def test_all_that_is_wrong_is_told_and_nothing_made_of_it() -> None:
    request = a_request("page=0", {"purpose-of-use": "longer"})
    assert wrong(asks, request) == [("query", "page"), ("header", "purpose-of-use")]
    assert made == []


async def names(
    child_id: Annotated[int, Path()], key: Annotated[str, Header()], connection: HTTPConnection
) -> Any:
    return child_id, key, connection


def test_what_must_be_sent_is_missed() -> None:
    request = a_request(child_id="7", headers={"key": "k\xe9"})
    plan = Plan(get_dependant(path="/{child_id}", call=names), embed=False)
    assert asyncio.run(plan.answer(request, None)) == (7, "k\xe9", request)
    with pytest.raises(RequestValidationError) as refused:
        asyncio.run(plan.answer(a_request(child_id="7"), None))
    (missed,) = refused.value.errors()
    assert (missed["type"], missed["loc"]) == ("missing", ("header", "key"))


async def two_scopes(
    one: Annotated[list[str], Security(of_scope, scopes=["a"])],
    other: Annotated[list[str], Security(of_scope, scopes=["b"])],
) -> Any:
    return one, other


def test_what_asks_for_scopes_is_made_for_each() -> None:
    assert answer(two_scopes, a_request()) == (["a"], ["b"])
    assert made == ["first", "allowed", "allowed"]


async def takes(said: Annotated[dict[str, int], Body()]) -> Any:
    return said


def test_a_body_is_read_by_the_framework() -> None:
    assert answer(takes, a_request(), {"a": 1}) == {"a": 1}
    assert wrong(takes, a_request(), {"a": "x"}) == [("body", "a")]
    assert wrong(takes, a_request(), body_of(b"", None)) == [("body",)]
    assert body_of(b"null", None) is None


async def why_said(why: Annotated[str, Body()]) -> str:
    return why


async def takes_a_part(
    said: Annotated[dict[str, int], Body()], why: Annotated[str, Depends(why_said)]
) -> Any:
    return said, why


def test_parts_of_a_body_have_names_in_it_whoever_asks_for_them() -> None:
    plan = Plan(get_dependant(path="/", call=takes_a_part), embed=True)
    sent = {"said": {"a": 1}, "why": "care"}
    assert asyncio.run(plan.answer(a_request(), sent)) == ({"a": 1}, "care")


async def named_otherwise(
    since: Annotated[int, Query(validation_alias="as_of")], key: Annotated[str, Header()]
) -> Any:
    return since, key


def test_a_parameter_is_read_by_the_name_it_is_sent_under() -> None:
    """And of a header that came twice the first counts, as the framework has it."""
    request = a_request("as_of=3&since=4", {"key": "a"})
    request.scope["headers"].append((b"key", b"b"))
    assert answer(named_otherwise, request) == (3, "a")


async def guarded() -> Response:
    return Response()


def test_what_is_needed_without_a_name_is_made_too() -> None:
    dependant = get_dependant(path="/", call=guarded)
    guard = get_dependant(path="/", call=second, name=None)
    dependant.dependencies.insert(0, guard)
    plan = Plan(dependant, embed=False)
    assert asyncio.run(plan.answer(a_request(), None)).status_code == 200
    with pytest.raises(RequestValidationError):
        asyncio.run(plan.answer(a_request("page=0"), None))


async def _with_response(response: Response) -> None: ...


async def _with_tasks(tasks: BackgroundTasks) -> None: ...


async def _made_again(page: Annotated[int, Depends(first, use_cache=False)]) -> None: ...


@pytest.mark.parametrize("endpoint", [_with_response, _with_tasks, _made_again])
def test_what_is_not_given_is_refused_at_start(endpoint: Any) -> None:
    with pytest.raises(TypeError, match="is not given"):
        Plan(get_dependant(path="/", call=endpoint), embed=False)


class _Several(BaseModel):
    page: int = 1


async def _several_in_query(said: Annotated[_Several, Query()]) -> None: ...


async def _several_in_headers(said: Annotated[_Several, Header()]) -> None: ...


async def _headers(said: Annotated[list[str], Header()]) -> None: ...


async def _cookies(said: Annotated[list[str], Cookie()]) -> None: ...


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        (_several_in_query, "query"),
        (_several_in_headers, "header"),
        (_headers, "header"),
        (_cookies, "cookie"),
    ],
)
def test_what_is_not_read_is_refused_at_start(endpoint: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"of {kind} parameters is not read: give each value"):
        Plan(get_dependant(path="/", call=endpoint), embed=False)
