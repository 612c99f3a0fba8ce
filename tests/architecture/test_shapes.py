"""The document keeps to the shapes generators understand; every rule finds its own fault."""

import copy
from typing import Any

import pytest

from app.api import names
from tests.architecture import shapes

CLOUDEVENTS = "CloudEvents are read beside plain JSON; operations of their own would be a new wire"
KNOWN = {
    ("D3", "pushAttendanceEvents"): CLOUDEVENTS,
    ("D5", "AttendanceEvent.student"): "two ways to name a pupil; one object would be a new wire",
    ("D5", "CloudEventData.student"): "the same pupil",
    ("D12", "searchChildren"): "its cursor stands in the body, beside what is searched for",
    ("D12", "listCodelists"): "all of them: as many as the program has",
    ("D12", "listPolicyParameters"): "all of them: as many as the program has",
    ("D9", "CloudEvent"): "extension attributes of CloudEvents are typed, and free",
}
"""What offends a rule and stays, because mending it would change what travels. Where a body may
say null for nothing said, which D10 would keep for erasing, null stays too."""

VISIT = {"$ref": "#/components/schemas/Visit"}
KIND = {"type": "string", "enum": ["home", "school"]}
NULL = {"type": "null"}


def test_nothing_offends_but_what_is_known_to(document) -> None:
    told = [said for rule in shapes.RULES.values() for said in rule(document)]
    assert shapes.offences(document) == KNOWN.keys(), "\n".join(told)


def test_no_name_is_given_to_an_enum_that_needs_none(document) -> None:
    assert shapes.stale_names(document) == set()


def test_every_rule_has_a_fault_below() -> None:
    assert {name for name, _, _ in FAULTS} == shapes.RULES.keys()


def small() -> dict[str, Any]:
    """A document that offends no rule."""
    visit = {
        "type": "object",
        "properties": {
            "version": {"type": "integer"},
            "kind": dict(KIND),
            "seen": {"type": "string", "const": "yes"},
            "note": {"anyOf": [{"type": "string"}, dict(NULL)]},
        },
    }
    answer = {"content": {"application/json": {"schema": dict(VISIT)}}, "headers": {"ETag": {}}}
    body = {"content": {"application/json": {"schema": dict(VISIT)}}}
    record = {
        "operationId": "recordVisit",
        "tags": ["Visits"],
        "parameters": [{"name": "If-Match", "in": "header", "schema": {"type": "string"}}],
        "requestBody": copy.deepcopy(body),
        "responses": {
            "201": {**copy.deepcopy(answer), "headers": {"ETag": {}, "Location": {}}},
            "204": {"description": "Nothing."},
            "412": {},
            "428": {},
        },
    }
    page = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Visits"}}}}
    listed = {
        "operationId": "listVisits",
        "tags": ["Visits"],
        "parameters": [{"name": "cursor", "in": "query", "schema": {"type": "string"}}],
        "responses": {"200": page},
    }
    items = {"type": "object", "properties": {"items": {"type": "array"}}}
    pages = {"type": "object", "properties": {**items["properties"], "next_cursor": {}}}
    told = {"operationId": "onVisit", "tags": ["Events"], "requestBody": body, "responses": {}}
    return {
        "info": {"title": "Small"},
        "paths": {"/visits": {"post": record, "get": listed}},
        "webhooks": {"visit": {"post": told}},
        "components": {
            "schemas": {
                "Visit": visit,
                "Visits": pages,
                "Page": items,
                "School": {"type": "object", "properties": {}},
            }
        },
    }


LISTED = "paths /visits get responses 200 content application/json schema"
POST = "paths /visits post"
MEMBERS = "components schemas Visit properties"
UNION = [{"$ref": "#/components/schemas/School"}, VISIT]
FAULTS = [
    ("D2", "webhooks visit post tags", ["Visits"]),
    ("D2", "webhooks visit post operationId", "visitHeard"),
    ("D2", f"{POST} operationId", "onRecord"),
    ("D3", f"{POST} requestBody content text/json", {"schema": VISIT}),
    ("D4", "components schemas Client", {"type": "object"}),
    ("D5", f"{MEMBERS} whom", {"oneOf": UNION, "discriminator": {}}),
    ("D5", "components schemas School properties what", {"anyOf": UNION}),
    ("D6", f"{MEMBERS} seen", {"const": "yes"}),
    ("D7", f"{MEMBERS} inner", {"type": "object", "properties": {}}),
    ("D7", f"{POST} requestBody content application/json schema", {"type": "array"}),
    ("D7", f"{MEMBERS} other_kind", KIND),
    ("D8", "components schemas Page_Visit_", {"type": "object"}),
    ("D8", "components schemas VisitInput", {"type": "object"}),
    ("D8", "components schemas app__visits__Visit", {"type": "object"}),
    ("D8", "info title", "童护"),
    ("D9", "components schemas Visit additionalProperties", {"type": "string"}),
    ("D9", "components schemas Visit propertyNames", {"pattern": "^a"}),
    ("D9", f"{MEMBERS} kind default", "moon"),
    ("D9", f"{MEMBERS} note", {"anyOf": [{"enum": ["a"]}, NULL], "default": "moon"}),
    ("D10", f"{MEMBERS} note", {"type": ["string", "null"]}),
    ("D10", f"{MEMBERS} note", {"enum": ["a", None]}),
    ("D10", f"{MEMBERS} note", {"oneOf": [{"type": "string"}, NULL]}),
    ("D10", f"{MEMBERS} note", {"anyOf": [NULL, {"type": "string"}]}),
    ("D11", f"{POST} responses 201 headers", {"Location": {}}),
    ("D11", f"{POST} responses 201 headers", {"ETag": {}}),
    ("D11", f"{POST} responses 202", {"content": {"application/json": {"schema": NULL}}}),
    ("D11", f"{POST} responses 204 content", {}),
    ("D11", f"{POST} responses 200", {}),
    ("D11", f"{POST} responses 412", None),
    ("D12", LISTED, {"type": "array"}),
    ("D12", LISTED, {"$ref": "#/components/schemas/Page"}),
    ("D12", "paths /visits get parameters", []),
]


def test_the_small_document_offends_no_rule() -> None:
    assert shapes.offences(small()) == set()


@pytest.mark.parametrize(("rule", "where", "fault"), FAULTS)
def test_a_fault_is_found_by_its_rule_and_no_other(rule: str, where: str, fault: Any) -> None:
    document = small()
    place: Any = document
    *steps, last = where.split(" ")
    for step in steps:
        place = place[step]
    if fault is None:
        del place[last]
    else:
        place[last] = copy.deepcopy(fault)
    assert {name for name, _ in shapes.offences(document)} == {rule}


def named(*schemas: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    found = {"paths": {}, "components": {"schemas": copy.deepcopy(dict(schemas))}}
    names.settle(found)
    return found["components"]["schemas"]


def test_what_is_the_same_to_send_and_to_receive_is_one_schema() -> None:
    home = {"title": "Home", "type": "object", "properties": {"kind": {"type": "string"}}}
    assert [*named(("Home-Input", home), ("Home-Output", home))] == ["Home"]
    inner = {"title": "Home", "required": ["kind"], **home}
    outer = [
        {"title": "Town", "properties": {"home": {"$ref": f"#/components/schemas/Home-{side}"}}}
        for side in ("Input", "Output")
    ]
    apart = named(
        *(("Home-Input", home), ("Home-Output", inner)),
        *(("Town-Input", outer[0]), ("Town-Output", outer[1])),
    )
    assert [*apart] == ["HomeWrite", "Home", "TownWrite", "Town"]
    assert apart["TownWrite"]["properties"]["home"] == {"$ref": "#/components/schemas/HomeWrite"}


def test_two_schemas_of_one_name_are_refused() -> None:
    with pytest.raises(names.NameTaken, match="Closure"):
        named(
            ("app__a__Closure", {"title": "Closure", "type": "object"}),
            ("app__b__Closure", {"title": "Closure", "type": "string"}),
        )
