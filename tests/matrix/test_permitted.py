"""What `permitted` says of an object is what happens when it is tried (the rule that lets or
refuses), and what a list narrowed by it shows.
"""

import re

from app.api import openapi
from app.children.acts import ACTS as CHILD
from app.dropout_alerts.acts import ACTS as ALERT
from app.police_reports.acts import ACTS as REPORT
from app.visits.acts import ACTS as VISIT
from app.webhooks.acts import DELIVERY_ACTS, ENDPOINT_ACTS
from tests.matrix.asking import ask, due, undone
from tests.matrix.asks import ASKS
from tests.matrix.expectation import ROLES, Answer

OBJECTS = {
    "/v1/children/{child_id}": ("readChild", "listChildren", CHILD),
    "/v1/visits/{visit_id}": ("readVisit", "listVisits", VISIT),
    "/v1/dropout-alerts/{alert_id}": ("readDropoutAlert", "listDropoutAlerts", ALERT),
    "/v1/police-reports/{report_id}": ("readReport", "listReports", REPORT),
    "/v1/webhook-endpoints/{endpoint_id}": (
        "readWebhookEndpoint",
        "listWebhookEndpoints",
        ENDPOINT_ACTS,
    ),
    "/v1/webhook-deliveries/{delivery_id}": (
        "readWebhookDelivery",
        "listWebhookDeliveries",
        DELIVERY_ACTS,
    ),
}
ASKED = {each.operation: each for each in reversed(ASKS)}
_REFUSED = {403, 404, 409}
"""Answers that say "not you" or "not now"; 422 finds fault with the body alone."""

_OF_THE_BODY = "field-group-forbidden"
"""A section that the role does not write; others it does."""


def test_every_operation_on_an_object_is_an_act_of_its_scope(described) -> None:
    for place, (read, _, acts) in OBJECTS.items():
        below = {
            operation.id: operation.scope
            for operation in described.values()
            if operation.path.startswith(place) and operation.id != read
        }
        assert {name: act.scope for name, act in acts.items()} == below


def test_every_act_is_offered_to_narrow_the_list(app) -> None:
    document = openapi.document(app)
    for methods in document["paths"].values():
        for operation in methods.values():
            for read, listed, acts in OBJECTS.values():
                if operation["operationId"] != listed:
                    continue
                (offered,) = (p for p in operation["parameters"] if p["name"] == "permitted")
                assert set(re.findall(r"[A-Za-z]+", offered["schema"]["pattern"])) == {*acts}, read


async def test_it_is_what_happens(theatre, described) -> None:
    client, database, stage = theatre
    wrong = []
    for read, _, acts in OBJECTS.values():
        for target in stage.targets:
            if due(stage, described[read], ASKED[read], target) is not Answer.DONE:
                continue
            async with undone(database):
                found = await ask(client, described[read], ASKED[read], target, stage.headers())
            told = set(found.json()["permitted"])
            happened = set()
            for name in acts:
                async with undone(database):
                    answer = await ask(
                        client, described[name], ASKED[name], target, stage.headers()
                    )
                if answer.status_code not in _REFUSED or _OF_THE_BODY in answer.text:
                    happened.add(name)
            if told != happened:
                wrong.append((read, target.label, told ^ happened))
    assert not wrong


async def test_a_list_narrowed_shows_those_that_say_so(theatre, described) -> None:
    client, database, stage = theatre
    for _, listed, acts in OBJECTS.values():
        operation = described[listed]
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
