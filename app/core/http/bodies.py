"""What a request's body is read as, before anything is made of it (IN-2)."""

import re
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from app.core.http import strict_json
from app.core.http.wire import Input
from app.core.problems import Problem


class MalformedRequest(Problem, status=400):
    """The request cannot be read as what it says it is."""

    title = "The request is malformed"
    title_zh = "请求格式有误"


class UnsupportedMediaType(Problem, status=415):
    """The body is of a type this operation does not read."""

    title = "The body must be JSON"
    title_zh = "请求体必须是 JSON"


class StrictRequest(Request):
    """A request whose JSON was read by `strict_json`."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


def taken_by(route: APIRoute) -> dict[str, Any]:
    """Return what a body says for itself of what `strict_json.loads` need not refuse."""
    body = route.body_field and route.body_field.field_info.annotation
    if not (isinstance(body, type) and issubclass(body, Input)):
        return {}
    return {
        "anything": body.takes_anything,
        "in_parts": body.judged_in_parts,
        "evidence": body.evidence,
    }


def not_json() -> UnsupportedMediaType:
    """Return the refusal of a body that is not JSON, which says what is taken (RFC 9110)."""
    return UnsupportedMediaType(headers={"accept-post": "application/json"})


async def refuse_body(request: Request) -> None:
    """Take no words that nobody will read: who gives a reason believes that it is kept. Raises
    MalformedRequest.
    """
    if (await request.body()).strip() not in {b"", b"{}", b"null"}:
        raise MalformedRequest.at("#", "body_unread", "This operation reads no body: send none.")


async def read_json(request: StrictRequest, *, evidence: bool = False, **taken: Any) -> None:
    """Read the body as what it says it is, or as `evidence` whatever it says. Raises
    MalformedRequest, UnsupportedMediaType.
    """
    headers = Headers(scope=request.scope)  # not the request's, which it keeps
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if not body and not media_type:
        return
    is_json = re.fullmatch(r"application/(.*\+)?json", media_type)
    if not is_json and not evidence:
        raise not_json()
    if is_json and (found := strict_json.plain(body)) is not strict_json.UNSURE:
        request.parsed, request.scope["plain_json"] = found, True
        return
    try:
        request.parsed = strict_json.loads(body, evidence=evidence, **taken)
    except strict_json.JsonRefused as refused:
        if not is_json:
            raise not_json() from None
        detail = "The body is not JSON this service accepts."
        raise MalformedRequest.at(refused.pointer, refused.code, detail) from None
