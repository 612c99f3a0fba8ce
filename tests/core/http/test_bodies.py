"""A body is read as what it says it is: JSON, or whatever ends in +json; nothing else (IN-2)."""

import json
from typing import Any

import pytest

from app.core.http.bodies import (
    MalformedRequest,
    StrictRequest,
    UnsupportedMediaType,
    read_json,
)


def a_request(body: bytes, media_type: str | None) -> StrictRequest:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    named = [] if media_type is None else [(b"content-type", media_type.encode())]
    return StrictRequest({"type": "http", "headers": named}, receive)


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON ; charset=utf-8", "application/cloudevents-batch+json"],
)
async def test_what_is_json_is_read(media_type: str) -> None:
    request = a_request(b'{"a": 1}', media_type)
    await read_json(request)
    assert await request.json() == {"a": 1}


@pytest.mark.parametrize(
    "media_type",
    [
        *("text/json", "text/plain", "application/x-json", "application/json5", "application/ld"),
        *("application/json-seq", "image/svg+json", "x-application/json", None),
    ],
)
async def test_what_is_called_anything_else_is_not(media_type: str | None) -> None:
    """And it is said what would be."""
    with pytest.raises(UnsupportedMediaType) as refused:
        await read_json(a_request(b'{"a": 1}', media_type))
    assert refused.value.headers["accept-post"] == "application/json"


async def test_nothing_is_no_body_unless_it_is_called_one() -> None:
    request = a_request(b"", None)
    await read_json(request)
    assert await request.json() is None
    with pytest.raises(MalformedRequest):
        await read_json(a_request(b"", "application/json"))


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"identity": {"name": [0, NaN]}}', "#/identity/name/1", "json_number_not_finite"),
        (b'{"identity": {"b": 1, "b": 2}}', "#/identity", "json_duplicate_key"),
        ('{"名\\u0007": NaN}'.encode(), "#/?", "json_number_not_finite"),
        (b'{"13812345678": {"name": {"zhangsan": NaN}}}', "#/?/name/?", "json_number_not_finite"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place(body: bytes, pointer: str, code: str) -> None:
    """As far as the names on the way there are ours: others are the sender's own words."""
    with pytest.raises(MalformedRequest) as refused:
        await read_json(a_request(body, "application/json"))
    [error] = refused.value.errors
    assert (error.pointer, error.code) == (pointer, code)


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_evidence_is_read_whatever_it_is_called(media_type: str | None) -> None:
    body = json.dumps({"narrative": "样"}).encode()
    request = a_request(body, media_type)
    await read_json(request, evidence=True)
    assert await request.json() == {"narrative": "样"}


async def test_what_is_no_json_is_refused_for_what_it_is_called_evidence_or_not() -> None:
    with pytest.raises(UnsupportedMediaType):
        await read_json(a_request(b"a=1", "text/plain"), evidence=True)
