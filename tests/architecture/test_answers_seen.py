"""Document and answers that are apart are found, whichever of the two says too much."""

from typing import Any

import pytest

from app.core.problems import MEDIA_TYPE
from tests.answers_seen import Answer, Recorder, gaps


def _failure(*slugs: str) -> dict[str, Any]:
    return {"content": {MEDIA_TYPE: {"examples": dict.fromkeys(slugs)}}}


DOCUMENT: dict[str, Any] = {
    "paths": {
        "/rooms": {
            "get": {
                "operationId": "listRooms",
                "responses": {"200": {}, "401": {"$ref": "#/components/responses/401-stranger"}},
            },
            "post": {
                "operationId": "addRoom",
                "responses": {
                    "201": {"headers": {"ETag": {}, "Location": {}}},
                    "401": {"$ref": "#/components/responses/401-stranger"},
                    "409": _failure("house-full", "door-locked"),
                },
            },
        }
    },
    "components": {"responses": {"401-stranger": _failure("stranger")}},
}
IMPLIED = {"listRooms": {"stranger"}, "addRoom": {"stranger"}}
SEEN = {
    Answer("listRooms", 200),
    Answer("listRooms", 401, "stranger"),
    Answer("addRoom", 201, "", ("etag", "location")),
    Answer("addRoom", 409, "house-full"),
    Answer("addRoom", 409, "door-locked"),
}


def test_nothing_is_said_of_what_agrees() -> None:
    assert [*gaps(DOCUMENT, IMPLIED, SEEN)] == []


@pytest.mark.parametrize(
    ("missed", "seen", "said"),
    [
        (
            Answer("addRoom", 409, "house-full"),
            Answer("addRoom", 201, "", ("etag", "location")),
            [
                "addRoom lists 409 house-full, and no test got it",
                "house-full is documented, and no test got it from any operation",
            ],
        ),
        (
            Answer("addRoom", 409, "house-full"),
            Answer("listRooms", 409, "house-full"),
            [
                "addRoom lists 409 house-full, and no test got it",
                "listRooms answered 409 house-full, which it does not document",
            ],
        ),
        (
            Answer("listRooms", 401, "stranger"),
            Answer("listRooms", 200),
            ["stranger is documented, and no test got it from any operation"],
        ),
        (
            Answer("listRooms", 200),
            Answer("listRooms", 202),
            ["listRooms answered 202, which it does not document"],
        ),
        (
            Answer("addRoom", 201, "", ("etag", "location")),
            Answer("addRoom", 201, "", ("etag",)),
            ["addRoom declares location of its 201, and a test saw none"],
        ),
        (
            Answer("addRoom", 409, "house-full"),
            Answer("addRoom", 409, "house-full", ("location",)),
            ["addRoom sent location with its 409, which does not declare it"],
        ),
    ],
)
def test_what_is_apart_is_told(missed: Answer, seen: Answer, said: list[str]) -> None:
    assert sorted(gaps(DOCUMENT, IMPLIED, SEEN - {missed} | {seen})) == said


async def test_what_leaves_the_app_is_recorded(client) -> None:
    refused = Answer("readMe", 401, "unauthenticated")
    Recorder.seen.discard(refused)
    await client.get("/v1/me")
    assert refused in Recorder.seen
