"""What is asked of a CloudEvent before its schema is says what the schema says."""

from typing import Any

import pytest

from app.attendance import reading

PLAIN: dict[str, Any] = {
    "specversion": "1.0",
    "type": "cn.tonghu.attendance.v1",
    "source": "urn:school:gate",
    "id": "1",
    "time": "2026-03-02T08:05:00+08:00",
    "data": {},
}
REFUSED: list[dict[str, Any]] = [
    {"specversion": "1"},
    {"specversion": 1.0},
    {"type": "other"},
    {"source": ""},
    {"source": "urn school"},
    {"source": "u" * 201},
    {"source": 7},
    {"id": ""},
    {"id": "a\tb"},
    {"id": "1" * 201},
    {"id": None},
    {"data": []},
    {"data": {f"field{n}": n for n in range(21)}},
    {"CamelCase": 1},
    {"": 1},
    {"a" * 41: 1},
]
TAKEN: list[dict[str, Any]] = [
    {},
    {"time": "yesterday"},
    {"subject": ""},
    {"extension": 1.5},
    {"id": "点名/1"},
    {"data": {f"field{n}": n for n in range(20)}},
    {"a" * 40: None},
]


@pytest.mark.parametrize("changed", REFUSED)
def test_what_the_schema_refuses_is_held_against_it(changed: dict[str, Any]) -> None:
    event = {**PLAIN, **changed}
    assert not reading._meets(event)
    assert reading._broken(event) is not None


@pytest.mark.parametrize("name", ["specversion", "type", "source", "id", "data"])
def test_so_is_what_lacks_something(name: str) -> None:
    event = {said: PLAIN[said] for said in PLAIN if said != name}
    assert not reading._meets(event)
    assert reading._broken(event) is not None


@pytest.mark.parametrize("said", [None, [], "event", 1])
def test_so_is_what_is_no_object(said: Any) -> None:
    assert not reading._meets(said)
    assert reading._broken(said) is not None


@pytest.mark.parametrize("changed", TAKEN)
def test_what_it_takes_needs_no_schema(changed: dict[str, Any]) -> None:
    event = {**PLAIN, **changed}
    assert reading._meets(event)
    assert reading._broken(event) is None
