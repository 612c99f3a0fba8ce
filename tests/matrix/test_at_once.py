"""A change that names the version it is based on: of two at once, one is made and one refused."""

from functools import partial

import httpx

from app.core.data.db import Database
from tests.at_once import at_once
from tests.conftest import calling
from tests.matrix.asking import ask, due, headers_for
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation
from tests.matrix.expectation import ROLES, Answer
from tests.matrix.facts import Target
from tests.matrix.groups import CALLERS
from tests.matrix.parts import Ask
from tests.matrix.stage import Stage, a_stage

NOT_YET = {
    "sendWrittenReport": "the school must have given up persuading",
    "acknowledgeWrittenReport": "the school must have written",
    "orderMeasure": "the school must have written",
    "answerUnresolved": "a visit is attached or dismissed, not answered",
    "takeBackUnresolved": "the question must have been settled",
    "proposeWithdrawal": "the visit must have found something wrong",
    "confirmWithdrawal": "somebody must have proposed it",
    "withdrawConsent": "it was withdrawn, and is read in the list of its child alone",
    "liftRestriction": "the request must restrict the file",
    "eraseChildData": "its erasure must have been granted",
    **dict.fromkeys(
        ("proposeWaiver", "approveWaiver", "withdrawWaiver"),
        "the duty to accept a report is not waived",
    ),
}
"""Changes that what the matrix stores is not ready for."""

CHANGE_MOST = [("township_supervisor", "staff"), ("school", "staff")]


async def test_one_is_made_and_one_refused(
    app, settings, patient: Database, database_urls, described
) -> None:
    asked = {each.operation: each for each in ASKS}
    left = {name for name in asked if "If-Match" in described[name].headers}
    for role, holder in (*CHANGE_MOST, *CALLERS):
        theirs = sorted(name for name in left if described[name].scope in ROLES[role]["scopes"])
        if left == NOT_YET.keys() or not theirs:
            continue
        stage = await a_stage(patient, settings, role, holder)
        changed: set[object] = set()
        async with calling(app, settings, patient) as client:
            for name in theirs:
                operation = described[name]
                target = await _ready(client, stage, operation, asked[name], changed)
                if target is None:
                    continue
                change = partial(
                    ask, client, operation, asked[name], target, headers_for(stage, operation)
                )
                assert (await change(if_match=None)).status_code == 428, name
                first, second = await at_once(patient, database_urls.owner, change, change)
                assert (first.is_success, second.status_code) == (True, 412), name
                changed.add(target.ids[operation.names[0]])
                left.remove(name)
    assert left == NOT_YET.keys(), "what is stored for the matrix is not ready for these"


async def _ready(
    client: httpx.AsyncClient, stage: Stage, operation: Operation, asked: Ask, changed: set[object]
) -> Target | None:
    """Find a target nobody changed with which the caller may do it now."""
    for target in stage.targets:
        row = target.ids[operation.names[0]]
        if row in changed or due(stage, operation, asked, target) is not Answer.DONE:
            continue
        url = f"{operation.path.partition('{')[0]}{row}"
        found = (await client.get(url, headers=stage.headers())).json()
        if operation.id in found.get("permitted", ()):
            return target
    return None
