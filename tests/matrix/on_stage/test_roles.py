"""Every operation, asked for every target, is answered as the roles' data says.

AZ-1 (one scope per operation, deny by default), AZ-2 (remit), AZ-5 (sections), AZ-6 (purpose),
AZ-8 (suspect agencies), AZ-11 (nobody gives more than they have). Of the callers who differ in
nothing an operation reads, one asks: see `groups.py`.
"""

from tests.conftest import undone
from tests.matrix.asking import WHOLE, ask, kind_of, mismatches, shown, visible
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation
from tests.matrix.expectation import PURPOSES, ROLES, VISIBLE, Answer, remit
from tests.matrix.groups import CALLERS, asked_by, first_of_each
from tests.matrix.parts import Ask
from tests.matrix.stage import Stage


def _granted(stage: Stage, operation: Operation) -> bool:
    return operation.scope in ROLES[stage.who.role]["scopes"]


def _how_many(stage: Stage, operation: Operation, asked: Ask) -> int:
    same_for_all = not operation.names and asked.body is None and asked.query is None
    return 1 if same_for_all or not _granted(stage, operation) else len(stage.targets)


def test_every_operation_is_asked(described) -> None:
    unasked = described.keys() - {each.operation for each in ASKS}
    assert not unasked, "each needs an Ask in tests/<package>/matrix.py, or tests/matrix/asks.py"


def test_reading_takes_a_reading_scope_and_writing_another(described) -> None:
    """The table of scopes is the document's own: this much must hold of it whatever it says."""
    for_a_reason = {"readReporterAlone"}  # which it sends
    trials = {"tryPolicyValue", "startPolicyTrial", "cancelPolicyTrial"}  # write nothing of a child
    for operation in described.values():
        reads = operation.method == "GET" or operation.id in {
            "searchChildren",
            *trials,
            *for_a_reason,
        }
        assert operation.scope.endswith(":read") == reads, operation.id


async def test_answers(theatre, described) -> None:
    stage, wrong = theatre.stage, []
    for operation, each in asked_by(ASKS, described, stage.asker):
        targets = stage.targets[: _how_many(stage, operation, each)]
        wrong += await mismatches(theatre, operation, each, targets)
    assert not wrong, "\n".join(["", *wrong])


async def test_lists(theatre, described) -> None:
    """A list shows what is visible of it, and nothing else."""
    client, database, stage, _ = theatre
    for operation, each in asked_by(ASKS, described, stage.asker):
        if not each.shows or not _granted(stage, operation):
            continue
        async with undone(database):
            answer = await ask(client, operation, each, stage.targets[0], stage.headers())
        assert answer.status_code == 200, answer.text
        assert shown(answer, stage, each) == visible(stage, each), operation.id


async def test_counts(theatre, described) -> None:
    """A count counts what its list would show of the caller's own region, in time or late."""
    client, database, stage, _ = theatre
    if not _granted(stage, described["summariseDuties"]):
        return
    async with undone(database):
        answer = await client.get("/v1/duties/summary", headers=stage.headers())
    counted = {rule["rule"]: rule["open"] + rule["overdue"] for rule in answer.json()["rules"]}
    expected = {
        rule: sum(
            VISIBLE[f"duty_id {rule}"](stage.who, target)
            and target.region in remit(stage.who.region)
            for target in stage.targets
        )
        for rule in ("VIS-01", "EDU-04", "REP-07")
    }
    assert counted == {rule: number for rule, number in expected.items() if number}


async def test_purposes(theatre, described) -> None:
    """AZ-6: every purpose the role has is admitted, no other, and none is taken for granted."""
    client, database, stage, _ = theatre
    target = stage.targets[0]
    theirs = ROLES[stage.who.role]["purposes"]

    def asks_for(operation: Operation, purpose: str) -> bool:
        """Of those who have the purpose, and of those who have not, one asks."""
        able = [each for each in CALLERS if operation.scope in ROLES[each[0]]["scopes"]]
        has = first_of_each(able, lambda each: str(purpose in ROLES[each[0]]["purposes"]))
        return stage.asker in has

    for each in ASKS:
        operation = described[each.operation]
        if not operation.needs_purpose:
            continue
        for turn, purpose in enumerate(PURPOSES, start=ASKS.index(each)):
            if not asks_for(operation, purpose) or (turn % 2 and not WHOLE):
                continue  # one half for each operation, the other for the next
            async with undone(database):
                answer = await ask(client, operation, each, target, stage.headers(purpose))
            refused = kind_of(answer) is Answer.NO_PURPOSE
            assert refused == (purpose not in theirs), (operation.id, purpose)
        if not asks_for(operation, "none"):
            continue
        async with undone(database):
            without = await ask(
                client, operation, each, target, {"authorization": f"Bearer {stage.caller.token}"}
            )
        # What is not there may be said to be missing before the header is.
        assert without.status_code == 400 or kind_of(without) is Answer.ABSENT, operation.id


async def test_sections(theatre) -> None:
    """AZ-5: a file and a list show the sections the role reads, all of them and no other."""
    client, database, stage, _ = theatre
    reads = set(ROLES[stage.who.role]["reads"])
    if not reads:
        return
    url = f"/v1/children/{stage.targets[0].ids['child_id']}"
    async with undone(database):
        file = (await client.get(url, headers=stage.headers())).json()
        listed = (await client.get("/v1/children", headers=stage.headers())).json()["items"]
    always = {"id", "version", "created_at", "updated_at", "as_sent", "permitted"}
    assert file.keys() - always == reads
    assert listed
    for item in listed:
        sections = item.keys() - {"id", "version", "updated_at", "permitted"}
        assert sections == reads & {"identity", "residence", "derived"}
