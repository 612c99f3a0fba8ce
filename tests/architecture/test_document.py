"""The committed API document is the generated one, and says what third parties rely on."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fastapi.routing import iter_route_contexts

from app.api import doors
from app.core import areas
from scripts import write_openapi


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_committed_document_is_the_generated_one(document) -> None:
    same = write_openapi.PLACE.read_text() == write_openapi.text(document)
    assert same, "run: make openapi"


def test_every_operation_names_exactly_one_known_scope(document) -> None:
    for path, method, operation in operations(document):
        ((scopes,),) = [requirement.values() for requirement in operation["security"]]
        assert len(scopes) == 1, f"{method} {path}"
        assert scopes[0] in areas.scopes()


def test_the_chapters_are_those_the_packages_declare(document) -> None:
    parts = (document["paths"], document["webhooks"])
    each = [one for part in parts for methods in part.values() for one in methods.values()]
    used = {tag for operation in each for tag in operation["tags"]}
    assert used == {area.tag for area in areas.areas()}
    assert [tag["name"] for tag in document["tags"]] == [area.tag for area in areas.areas()]


DIFFERS = {
    "summariseDuties": False,  # counts only
    "summariseChildren": False,
    "cancelPolicyTrial": False,
    "listEvents": True,  # names children, other operations of its scope name deliveries
    **dict.fromkeys(("proposeApproval", "decideApproval"), True),  # if what is tried opens it
    "listHolders": True,  # names people, other operations of its scope name agencies
}


def test_an_operation_asks_for_the_purpose_if_its_scope_opens_personal_data(document) -> None:
    for _, _, operation in operations(document):
        ((scopes,),) = [requirement.values() for requirement in operation["security"]]
        asks = "Purpose-Of-Use" in {each["name"] for each in operation.get("parameters", ())}
        wanted = DIFFERS.get(operation["operationId"], areas.scopes()[scopes[0]].personal)
        assert asks == wanted, operation["operationId"]


def test_no_evidence_is_refused_for_want_of_a_purpose(app, document) -> None:
    by_name = {operation["operationId"]: operation for _, _, operation in operations(document)}
    taking = [each for each in iter_route_contexts(app.routes) if each.body_field]
    evidence = [r for r in taking if getattr(r.body_field.field_info.annotation, "evidence", False)]
    assert len(evidence) > 5
    for route in evidence:
        asked = {each["name"]: each for each in by_name[route.unique_id]["parameters"]}
        assert not asked["Purpose-Of-Use"]["required"], route.unique_id


def test_every_route_is_described_or_public(app, document) -> None:
    described = {(path, method) for path, method, _ in operations(document)}
    for path, methods, _ in doors.routes(app):
        for method in methods:
            if path not in doors.PUBLIC:
                assert (path, method.lower()) in described


def test_no_public_path_is_left_over(app) -> None:
    assert {path for path, _, _ in doors.routes(app)} >= doors.PUBLIC.keys()


def test_operations_have_names_of_their_own_and_a_summary(document) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert [name for name, count in names.items() if count > 1] == []
    for path, method, operation in operations(document):
        assert re.fullmatch(r"[a-z][A-Za-z0-9]+", operation["operationId"])
        assert operation["summary"], f"{method} {path} has no docstring"


def test_every_failure_is_a_problem_document(document) -> None:
    for response in document["components"]["responses"].values():
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ProblemDocument"}
        assert content["examples"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_leads_somewhere(document) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place: Any = document
        for step in reference.split("/"):
            place = place[step]


def test_every_body_refuses_unknown_fields(document) -> None:
    schemas = document["components"]["schemas"]
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content and "$ref" in content["schema"]:
            name = content["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name].get("additionalProperties") is False, f"{method} {path}"
