"""Every operation, asked by every role for every target, is answered as the roles' data says.

AZ-1 (one scope per operation, deny by default), AZ-2 (remit), AZ-5 (sections), AZ-6 (purpose),
AZ-8 (suspect agencies), AZ-11 (nobody gives more than they have).
"""

from typing import get_args

import pytest
from fastapi import FastAPI

from app.api import openapi
from tests.matrix.asking import ask, kind_of, mismatches, shown, undone, visible
from tests.matrix.asks import ASKS, Ask
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import PURPOSES, ROLES, VISIBLE, Answer, remit
from tests.matrix.facts import Holder
from tests.matrix.stage import PLANS, Stage, a_stage

CALLERS = [(role, holder) for role, data in ROLES.items() for holder in data["for"]]
FEW = 3
"""In the remit, the sibling village, another agency: enough where the scope is missing anyway, and
for a machine where people hold the same role.
"""


@pytest.fixture(scope="module")
def described(app: FastAPI) -> dict[str, Operation]:
    return operations(openapi.document(app))


def _granted(role: str, operation: Operation) -> bool:
    return operation.scope in ROLES[role]["scopes"]


def _how_many(stage: Stage, operation: Operation, asked: Ask) -> int:
    if not operation.names and asked.body is None and asked.query is None:
        return 1  # the request is the same for all
    first = stage.who.holder == ROLES[stage.who.role]["for"][0]
    return len(stage.targets) if first and _granted(stage.who.role, operation) else FEW


def test_every_operation_is_asked(described) -> None:
    assert {each.operation for each in ASKS} == described.keys(), "add a line to asks.py"


def test_reading_takes_a_reading_scope_and_writing_another(described) -> None:
    """The table of scopes is the document's own: this much must hold of it whatever it says."""
    for operation in described.values():
        reads = operation.method == "GET" or operation.id == "searchChildren"
        assert operation.scope.endswith(":read") == reads, operation.id


def test_every_role_asks_as_every_holder() -> None:
    assert {role for role, _ in CALLERS} == ROLES.keys()
    assert {holder for _, holder in CALLERS} == {*get_args(Holder)}
    assert [plan.label for plan in PLANS[:FEW]] == [
        "in the remit",
        "sibling village",
        "other agency of the same region",
    ]


@pytest.mark.parametrize(("role", "holder"), CALLERS)
async def test_answers(client, database, settings, described, role, holder) -> None:
    stage = await a_stage(database, settings, role, holder)
    wrong = []
    for each in ASKS:
        operation = described[each.operation]
        targets = stage.targets[: _how_many(stage, operation, each)]
        wrong += await mismatches(client, database, stage, operation, each, targets)
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(("role", "holder"), CALLERS)
async def test_lists(client, database, settings, described, role, holder) -> None:
    """A list shows what is visible of it, and nothing else."""
    stage = await a_stage(database, settings, role, holder)
    for each in ASKS:
        operation = described[each.operation]
        if not each.shows or not _granted(role, operation):
            continue
        async with undone(database):
            answer = await ask(client, operation, each, stage.targets[0], stage.headers())
        assert answer.status_code == 200, answer.text
        assert shown(answer, stage, each) == visible(stage, each), operation.id


@pytest.mark.parametrize(
    "role", [r for r, data in ROLES.items() if "duties:read" in data["scopes"]]
)
async def test_counts(client, database, settings, role) -> None:
    """A count counts what its list would show of the caller's own region."""
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    answer = await client.get("/v1/duties/summary", headers=stage.headers())
    counted = {rule["rule"]: rule["open"] for rule in answer.json()["rules"]}
    expected = {
        rule: sum(
            VISIBLE[f"duty_id {rule}"](stage.who, target)
            and target.region in remit(stage.who.region)
            for target in stage.targets
        )
        for rule in ("VIS-01", "EDU-04", "REP-07")
    }
    assert counted == {rule: number for rule, number in expected.items() if number}


@pytest.mark.parametrize("role", ROLES)
async def test_purposes(client, database, settings, described, role) -> None:
    """AZ-6: every purpose the role has is admitted, no other, and none is taken for granted."""
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    target = stage.targets[0]
    for each in ASKS:
        operation = described[each.operation]
        if not operation.needs_purpose or not _granted(role, operation):
            continue
        for purpose in PURPOSES:
            async with undone(database):
                answer = await ask(client, operation, each, target, stage.headers(purpose))
            refused = kind_of(answer) is Answer.NO_PURPOSE
            assert refused == (purpose not in ROLES[role]["purposes"]), (operation.id, purpose)
        async with undone(database):
            without = await ask(
                client, operation, each, target, {"authorization": f"Bearer {stage.caller.token}"}
            )
        # What is not there may be said to be missing before the header is.
        assert without.status_code == 400 or kind_of(without) is Answer.ABSENT, operation.id


@pytest.mark.parametrize("role", [role for role, data in ROLES.items() if data["reads"]])
async def test_sections(client, database, settings, role) -> None:
    """AZ-5: a file and a list show the sections the role reads, all of them and no other."""
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    reads = set(ROLES[role]["reads"])
    url = f"/v1/children/{stage.targets[0].ids['child_id']}"
    file = (await client.get(url, headers=stage.headers())).json()
    assert file.keys() - {"id", "version", "created_at", "updated_at", "permitted"} == reads
    listed = (await client.get("/v1/children", headers=stage.headers())).json()["items"]
    assert listed
    for item in listed:
        sections = item.keys() - {"id", "version", "updated_at", "permitted"}
        assert sections == reads & {"identity", "residence", "derived"}
