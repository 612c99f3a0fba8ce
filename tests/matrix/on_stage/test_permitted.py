"""What `permitted` says of an object is what happens when it is tried (the rule that lets or
refuses), and what a list narrowed by it shows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.conftest import undone
from tests.matrix.asking import due, in_turn
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import ROLES, Answer


class Object(NamedTuple):
    """Something with acts: the operations that read and list it, and the acts the list offers."""

    read: Operation
    listed: Operation
    acts: frozenset[str]


def _objects(document: Mapping[str, Any]) -> Iterator[Object]:
    """Find whatever tells what is permitted with it, and the list that is narrowed by it."""
    named = operations(document)
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        read = methods.get("get", {})
        shown = re.findall(r"schemas/(\w+)", str(read.get("responses", {}).get("200")))
        if not path.endswith("}") or not any(
            "permitted" in schemas[name].get("properties", ()) for name in shown
        ):
            continue
        listed = document["paths"][path.rpartition("/")[0]]["get"]
        offered = {each["name"]: each["schema"] for each in listed["parameters"]}["permitted"]
        yield Object(
            named[read["operationId"]],
            named[listed["operationId"]],
            frozenset(re.findall(r"[A-Za-z]+", offered["pattern"])),
        )


@pytest.fixture(scope="session")
def objects(document) -> list[Object]:
    return [*_objects(document)]


ASKED = {each.operation: each for each in reversed(ASKS)}
_REFUSED = {403, 404, 409}
"""Answers that say "not you" or "not now"; 422 finds fault with the body alone."""

_OF_THE_BODY = "field-group-forbidden"
"""A section that the role does not write; others it does."""


def test_every_operation_on_an_object_is_an_act(objects, described) -> None:
    assert len(objects) > 5
    for read, _, acts in objects:
        below = {each.id for each in described.values() if each.path.startswith(read.path)}
        assert not below - {read.id} - acts, f"name them among the acts of what {read.id} shows"
        assert not acts - below, f"no operation on what {read.id} shows has this name"


def test_every_list_of_what_has_acts_is_narrowed_by_them(document) -> None:
    schemas = document["components"]["schemas"]
    narrowed = {}
    for path, methods in document["paths"].items():
        listed = methods.get("get", {})
        for page in re.findall(r"schemas/(\w+)", str(listed.get("responses", {}).get("200"))):
            items = schemas[page].get("properties", {}).get("items")
            if any(
                "permitted" in schemas[item].get("properties", ())
                for item in re.findall(r"schemas/(\w+)", str(items))
            ):
                narrowed[path] = "permitted" in {each["name"] for each in listed["parameters"]}
    assert len(narrowed) > 7
    assert all(narrowed.values()), narrowed


async def test_it_is_what_happens(theatre, described, objects) -> None:
    stage, wrong = theatre.stage, []
    for number, (read, _, acts) in enumerate(objects):
        for target in stage.targets:
            if (
                not in_turn(stage, number, target)
                or due(stage, read, ASKED[read.id], target) is not Answer.DONE
            ):
                continue
            found, _ = await theatre.asked(read, ASKED[read.id], target)
            told = set(found.json()["permitted"])
            happened = set()
            for name in acts:
                answer, _ = await theatre.asked(described[name], ASKED[name], target)
                if answer.status_code not in _REFUSED or _OF_THE_BODY in answer.text:
                    happened.add(name)
            if told != happened:
                wrong.append((read.id, target.label, told ^ happened))
    assert not wrong


async def test_a_list_narrowed_shows_those_that_say_so(theatre, described, objects) -> None:
    client, database, stage, _ = theatre
    for _, operation, acts in objects:
        if operation.scope not in ROLES[stage.who.role]["scopes"]:
            continue
        async with undone(database):
            asked = {"limit": "200"}
            whole = await client.get(operation.path, params=asked, headers=stage.headers())
            items = whole.json()["items"]
            for name in acts:
                wanted = {item["id"] for item in items if name in item["permitted"]}
                narrowed = await client.get(
                    operation.path, params={**asked, "permitted": name}, headers=stage.headers()
                )
                assert {item["id"] for item in narrowed.json()["items"]} == wanted, name
