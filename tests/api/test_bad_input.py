"""Bad input of every kind, to every kind of write: told where and why, nothing stored (IN-1…IN-6).

Each refusal is a problem document that names place and rule, repeats nothing of what was sent,
leaves every table as it was, and the next request works.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.access.factories import a_caller
from tests.api.test_beside_evidence import EVIDENCE
from tests.api.world import (
    CANARY,
    ELSEWHERE,
    UNKNOWN,
    VILLAGE,
    WRITES,
    World,
)
from tests.children.factories import a_file, with_check_digit


@pytest.mark.parametrize("name", WRITES)
async def test_what_the_table_spoils_is_taken_unspoilt(world: World, name: str) -> None:
    assert (await world.send(name)).is_success


def spliced(member: str) -> Callable[[bytes], bytes]:
    """Add a member to a JSON object, as text."""
    return lambda body: body[:-1] + b", " + member.encode() + b"}"


UNREADABLE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (lambda body: body[:-1] + f', "x": "{CANARY}'.encode(), "json_invalid"),
    "not UTF-8": (lambda body: body[:-1] + b', "x": "\xff\xfe"}', "json_invalid"),
    "two documents": (lambda body: body + body, "json_invalid"),
    "NUL": (spliced(f'"x": "{CANARY}\\u0000"'), "json_nul_character"),
    "lone surrogate": (spliced(f'"x": "{CANARY}\\ud800"'), "json_lone_surrogate"),
    "NaN": (spliced('"x": NaN'), "json_number_not_finite"),
    "infinity by size": (spliced('"x": 1e999'), "json_number_not_finite"),
    "key twice": (spliced(f'"x": 1, "x": "{CANARY}"'), "json_duplicate_key"),
    "integer of 71 bits": (spliced(f'"x": {2**70}'), "json_integer_too_large"),
    "integer of 5,000 digits": (spliced(f'"x": {"9" * 5000}'), "json_integer_too_large"),
    "forty deep": (spliced(f'"x": {"[" * 40 + "]" * 40}'), "json_too_deep"),
    "depth bomb": (lambda _: b"[" * 200_000, "json_too_deep"),
}


IN_PARTS = {
    "json_nul_character",
    "json_lone_surrogate",
    "json_number_not_finite",
    "json_duplicate_key",
    "json_integer_too_large",
    "json_too_deep",
}
REPLACED = {
    (name, fault)
    for name in ("fileReport", "recordVisit", "pushAttendanceEvents")
    for fault, (_, code) in UNREADABLE.items()
    if (code in IN_PARTS or fault == "not UTF-8") and fault != "depth bomb"
}
"""What cannot be stored refuses no evidence (tests/police_reports/test_claims.py,
tests/visits/test_dirt.py), and none of the events beside it (tests/attendance/test_in_parts.py).
"""


@pytest.mark.parametrize(
    ("name", "fault"), sorted({(name, fault) for name in WRITES for fault in UNREADABLE} - REPLACED)
)
async def test_unreadable_json(world: World, name: str, fault: str) -> None:
    spoil, code = UNREADABLE[fault]
    good = json.dumps(world.writes[name].body).encode()
    document = await world.refused(name, spoil(good), status=400)
    assert document["type"] == "/problems/malformed-request"
    [error] = document["errors"]
    if (name, fault) == ("createChild", "not UTF-8"):  # it is read as far as there is text
        code = "json_lone_surrogate"
    assert (error["code"], error["pointer"][0]) == (code, "#")


@pytest.mark.parametrize("name", WRITES)
async def test_too_large(world: World, name: str) -> None:
    size = 5_242_881 if name == "pushAttendanceEvents" else 1_048_577
    document = await world.refused(name, b" " * size, status=413)
    assert document["detail"] == f"At most {size - 1} bytes."


@pytest.mark.parametrize(
    "headers",
    [
        {"content_encoding": "gzip"},
        {"content_encoding": "br"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},  # as curl and many phones send
    ],
    ids=str,
)
@pytest.mark.parametrize("name", WRITES)
async def test_body_of_another_kind(world: World, name: str, headers: dict[str, str]) -> None:
    """Evidence is read whatever it is called (tests/api/test_beside_evidence.py), if it is JSON."""
    is_evidence = name in EVIDENCE and "content_type" in headers
    await world.refused(name, b"a=1" if is_evidence else None, status=415, **headers)


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("createChild", {"identity": {"birth_date": "01/05/2016"}}, "Write dates as YYYY-MM-DD."),
        ("createChild", [], "An object is wanted."),
        ("createChild", {"not_the_same_as": [CANARY]}, "An id is a UUID."),
        ("fileReport", {"situations": []}, "There are too few items: at least 1"),
    ],
    ids=str,
)
async def test_says_what_is_wanted(world: World, name: str, body: Any, told: str) -> None:
    document = await world.refused(name, body, status=422)
    assert told in {error["detail"] for error in document["errors"]}


TOMORROW = "2026-11-21"
"""Of the tests' clock."""

RULES = [
    # operation, place, value, rule
    ("createChild", "identity/name", 7, "string_type"),
    ("createChild", "identity/name", "", "string_too_short"),
    ("createChild", "identity/name", CANARY * 20, "string_too_long"),
    ("createChild", "identity/name", f"{CANARY}\x07", "string_pattern_mismatch"),
    ("createChild", "identity/birth_date", TOMORROW, "date_in_future"),
    ("createChild", "residence/region_code", UNKNOWN, "region_unknown"),
    ("createChild", "residence/region_code", int(UNKNOWN), "region_unknown"),
    ("createChild", "hukou/registered", "yes", "bool_type"),
    ("createChild", "shoe_size", CANARY, "extra_forbidden"),
    ("createChild", "identity/shoe_size", CANARY, "extra_forbidden"),
    ("createChild", "residence/lives_with", ["father"] * 9, "too_long"),
    ("changeChild", "identity", {"birth_date": TOMORROW}, "date_in_future"),
    ("changeChild", "identity", {"birth_date": "2016-02-30"}, "date_from_datetime_parsing"),
    ("changeChild", "identity", {"birth_date": "2016-03-01T00:00:00Z"}, "date_format"),
    ("changeChild", "identity", {"birth_date": 1456790400}, "date_type"),
    ("changeChild", "identity", {"sex": "男"}, "literal_error"),
    ("changeChild", "identity", {"resident_id": CANARY}, "string_too_short"),
    ("changeChild", "identity", {"name": None}, "missing"),
    ("changeChild", "identity", {"birth_date": None}, "missing"),
    ("changeChild", "identity", None, "missing"),
    ("changeChild", "residence", {"region_code": None}, "missing"),
    ("changeChild", "residence", None, "missing"),
    ("changeChild", "shoe_size", CANARY, "extra_forbidden"),
    ("changeChild", "health/notes", 7, "string_type"),
    ("correctVisit", "visited_on", "9999-12-31", "date_out_of_range"),
    ("correctVisit", "visitor_type", CANARY, "enum"),
    ("correctVisit", "shoe_size", CANARY, "extra_forbidden"),
    ("pushAttendanceEvents", "events", CANARY, "envelope_invalid"),
    ("pushAttendanceEvents", "events", [{}] * 1001, "too_many_events"),
    ("fileReport", "situations", [], "too_short"),
    ("fileReport", "narrative", [], "string_type"),
]


@pytest.mark.parametrize(("name", "place", "value", "code"), RULES)
async def test_broken_rule(world: World, name: str, place: str, value: Any, code: str) -> None:
    body = copy.deepcopy(world.writes[name].body)
    *path, last = place.split("/")
    target = body
    for step in path:
        target = target[step]
    target[last] = value
    document = await world.refused(name, body, status=422)
    errors = {error["code"]: error["pointer"] for error in document["errors"]}
    assert code in errors
    told = place.replace("shoe_size", "?")  # a name that is none of ours is the sender's own word
    assert errors[code].startswith(f"#/{told}") or code == "envelope_invalid"


STRANGE = ("张三", "13812345678", "12011920000101123X", "zhang/../san", CANARY)


@pytest.mark.parametrize("name", ["createChild", "changeChild", "correctVisit"])
async def test_the_name_of_an_unknown_field_is_not_repeated(world: World, name: str) -> None:
    """It may be a child's, in the place of a field's; which one is wrong is told by its number."""
    body = {**world.writes[name].body, **dict.fromkeys(STRANGE, 1)}
    first = len(world.writes[name].body) + 1
    document = await world.refused(name, body, status=422)
    assert [(each["pointer"], each["detail"]) for each in document["errors"]] == [
        ("#/?", f"This field does not exist here; it is number {number} of its object.")
        for number in range(first, first + len(STRANGE))
    ]
    said = json.dumps(document, ensure_ascii=False)
    assert not any(each in said for each in STRANGE)


@pytest.mark.parametrize("name", ["createChild", "changeChild", "correctVisit"])
async def test_nor_that_of_what_json_does_not_allow(world: World, name: str) -> None:
    inner = '{"' + STRANGE[0] + '": {"' + STRANGE[1] + '": [NaN]}}'
    document = await world.refused(name, inner.encode(), status=400)
    assert [each["pointer"] for each in document["errors"]] == ["#/?/?/0"]


async def test_nor_that_of_an_unknown_parameter_or_header_value(world: World) -> None:
    reader = world.writes["createChild"].caller.headers
    for query in (f"?{STRANGE[1]}=1", f"?limit={STRANGE[1]}", f"?cursor={STRANGE[0]}"):
        answer = await world.client.get(f"/v1/children{query}", headers=reader)
        assert (answer.status_code, STRANGE[1] in answer.text) == (400, False)
        assert STRANGE[0] not in answer.text
    headers = {**reader, "purpose-of-use": STRANGE[1]}
    answer = await world.client.get("/v1/children", headers=headers)
    assert (answer.status_code, STRANGE[1] in answer.text) == (400, False)


async def test_one_bad_event_among_good_ones_stores_the_good(world: World) -> None:
    """A batch is judged event by event; asked to, it is all or nothing (I4)."""
    write = world.writes["pushAttendanceEvents"]
    good = write.body["events"][0]
    bad = {**good, "id": CANARY, "category": CANARY}
    body = {"events": [good, bad]}
    document = await world.refused(
        "pushAttendanceEvents", body, status=422, prefer="handling=strict"
    )
    assert document["errors"][0]["pointer"] == "#/events/1/category"
    answer = await world.send("pushAttendanceEvents", body)
    assert [one["status"] for one in answer.json()["results"]] == ["accepted", "rejected"]


@pytest.mark.parametrize("name", ["changeChild", "correctVisit"])
class TestVersions:
    async def test_missing(self, world: World, name: str) -> None:
        document = await world.refused(name, status=428, if_match=None)
        [error] = document["errors"]
        assert (error["pointer"], error["code"]) == ("If-Match", "if_match_missing")

    async def test_stale(self, world: World, name: str) -> None:
        await world.refused(name, status=412, if_match='"7"')

    async def test_not_a_version(self, world: World, name: str) -> None:
        await world.refused(name, status=400, if_match=CANARY)


class TestDuplicateChild:
    """One child, one file; a stranger's child is not revealed (REG-03, AZ-3)."""

    async def test_in_the_remit_names_the_file(self, world: World) -> None:
        opened = await world.send("createChild")
        body = a_file(VILLAGE)
        body["identity"]["name"] = CANARY
        document = await world.refused("createChild", body, status=409)
        [error] = document["errors"]
        assert (error["pointer"], error["code"]) == ("#/identity/resident_id", "child_has_a_file")
        answer = await world.send("createChild", body)
        assert answer.headers["location"] == opened.headers["location"]

    async def test_outside_the_remit_reveals_nothing(self, world: World, settings) -> None:
        """It is answered as if nobody had the number, with the same done (ADR 56)."""
        stranger = await a_caller(world.database, settings, "village_director", ELSEWHERE)
        theirs = a_file(ELSEWHERE)
        theirs["identity"]["name"] = "样小二"
        opened = await world.client.post("/v1/children", json=theirs, headers=stranger.headers)
        assert opened.status_code == 201
        taken, nobodys = a_file(VILLAGE), a_file(VILLAGE)
        nobodys["identity"] |= {"resident_id": with_check_digit("12000020160301902")}
        told = []
        for body in (taken, nobodys):
            body["education"]["student_numbers"] = []
            before = await world.rows()
            answer = await world.send("createChild", body)
            assert answer.status_code == 201
            for secret in (opened.json()["id"], "样小二", str(ELSEWHERE)):
                assert secret not in f"{answer.text} {answer.headers}"
            after = await world.rows()
            changed = {table for table in after if after[table] != before[table]}
            told.append((answer.json().keys(), answer.headers.keys(), changed))
        first, second = told
        assert first == second

    async def test_another_number_is_another_child(self, world: World) -> None:
        assert (await world.send("createChild")).status_code == 201
        body = a_file(VILLAGE)
        body["identity"] |= {"resident_id": with_check_digit("12000020160301902"), "name": "样小三"}
        body["education"]["student_numbers"] = []
        assert (await world.send("createChild", body)).status_code == 201
