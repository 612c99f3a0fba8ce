"""A database that was put back has forgotten what was signed since; the witnesses have not."""

import pytest

from app.core.data import db
from app.sealing import standing
from app.sealing.continuing import LogForked
from app.sealing.notes import Signer
from app.sealing.writing import LogBroken
from tests.access.approving import problem, send_by_two
from tests.sealing.stage import KEY, Log, exported, looks
from tests.sealing.witnesses import Witness, announced

pytestmark = pytest.mark.xdist_group("sealing")
LOGS = "/v1/audit/logs"
NEXT = Signer.generate("test.example/audit-2")
_ELSEWHERE = """
UPDATE audit_checkpoints SET place = '1/00000001';
UPDATE audit_witnesses SET announced_in = '1/00000001'
"""
_BACK = """
DELETE FROM audit_checkpoints WHERE size > {0};
DELETE FROM audit_cosignatures WHERE size > {0};
DELETE FROM audit_nodes WHERE i >= {0} >> (8 * level)::int;
DELETE FROM audit_entries e USING audit_leaves l WHERE l.entry_id = e.id AND l.n >= {0};
DELETE FROM audit_leaves WHERE n >= {0}
"""


async def _signed(log: Log, database: db.Database, client, two: list[Witness]) -> None:
    """Twice, and both hold the second."""
    for _ in range(2):
        await looks(database, 5)
        await log.seal()
    for each in two:
        await each.fetch(client, (await announced(database, each.caller.agency_id))[-1])


async def _put_back(log: Log, superuser, size: int) -> None:
    """As a restore leaves it: the rows of then, on another of the server's histories."""
    await superuser.execute(_BACK.format(size))
    await superuser.execute(_ELSEWHERE)
    await log.again()


async def _troubles(database: db.Database) -> set[str]:
    async with database.begin(db.SYSTEM) as tx:
        found = await standing.standing(tx.connection)
        return {*map(str, found.troubles(tx.now))} - {"too_few_witnesses"}


async def test_after_a_restore_nothing_is_signed_until_each_witness_said_what_it_holds(
    log, client, two, live_database, superuser
) -> None:
    await _signed(log, live_database, client, two)
    signed = log.state.signed
    await _put_back(log, superuser, signed)
    await looks(live_database, 3)
    found = await log.seal()
    assert (len(found.ats) >= 3, found.checkpoint) == (True, None), "sealed, and not signed"
    assert found.awaits == [each.name for each in two]
    assert await _troubles(live_database) == {"witnesses_unasked"}
    for number, each in enumerate(two, 1):
        told = await announced(live_database, each.caller.agency_id)
        assert len(told) == 2, "told again of what is the newest now"
        answer = await each.present(client, log.held[-1])
        assert (answer.status_code, answer.json()["kept"]) == (200, True), answer.text
        again = await each.present(client, log.held[-1])
        assert (again.status_code, again.json()) == (200, answer.json())
        assert (await log.seal()).awaits == [other.name for other in two[number:]]
    assert log.state.signed > signed
    assert await _troubles(live_database) == set()
    await log.again()
    await looks(live_database, 1)
    assert (await log.seal()).checkpoint == log.state.edge.size, "asked once"


async def test_a_second_history_is_not_signed_and_another_log_names_the_one_before(
    log, client, two, live_database, superuser, operators, tmp_path, verifier
) -> None:
    await _signed(log, live_database, client, two)
    first, lost = log.held
    size = two[0].size
    await _put_back(log, superuser, int(first.split("\n")[1]))
    await looks(live_database, 20)
    answer = await two[0].present(client, lost)
    assert (answer.status_code, answer.json()["kept"]) == (200, False)
    assert await _troubles(live_database) == {"forked", "witnesses_unasked"}
    leaves = log.state.edge.size
    for _ in range(2):
        with pytest.raises(LogForked, match=f"police.example holds .* at size {size}"):
            await log.seal()
        await log.again()
    assert (log.state.edge.size, len(log.held)) == (leaves, 2), "not a leaf more"

    said = {"key": str(NEXT.public)}
    alone = await client.post(LOGS, json=said, headers=operators[0].headers)
    assert problem(alone) == (403, "approval-required")
    for wrong in (str(KEY.public), str(Signer.generate(KEY.name).public), two[0].key):
        refused = await client.post(LOGS, json={"key": wrong}, headers=operators[0].headers)
        assert problem(refused) == (422, "log-key-unfit"), wrong
    begun = await send_by_two(client, *operators, "startLog", "POST", LOGS, said)
    assert (begun.status_code, begun.json()["old_size"]) == (200, size), begun.text
    for goes_on in (log.seal, log.again):
        with pytest.raises(LogBroken, match="two operators begin another log"):
            await goes_on()
    log.key, log.held = NEXT, [first]
    await log.again()
    assert (await log.seal()).checkpoint == log.state.edge.size
    new = log.held[-1]
    root = lost.split("\n")[2]
    assert new.startswith(f"{NEXT.name}\n{log.state.signed}\n")
    assert new.split("\n")[3] == f"continues {KEY.name} {size} {root}"
    assert await _troubles(live_database) == set()
    await log.again()
    await looks(live_database, 1)
    await log.seal()
    assert log.held[-1].split("\n")[3] == new.split("\n")[3], "each of its checkpoints names it"

    export = tmp_path / "export.jsonl"
    export.write_bytes(b"\n".join(await exported(live_database)))
    keys = ("--key", KEY.public, "--key", NEXT.public)
    code, out = verifier.run(export, log.keep(tmp_path / "held"), *keys)
    assert (code, f"goes on from {KEY.name} at size {size}" in out) == (0, True), out
    (tmp_path / "held" / "lost").write_text(lost, "utf-8")
    code, out = verifier.run(export, tmp_path / "held", *keys)
    assert (code, "another history" in out) == (1, True), out

    each = two[0]
    each.log_key, each.size = str(NEXT.public), 0
    told = await announced(live_database, each.caller.agency_id)
    found = await each.fetch(client, told[-1])
    answer = await each.cosign(client, told[-1], each.line(found["note"]))
    assert answer.status_code == 201, answer.text


async def test_what_was_in_the_log_when_it_was_presented_is_looked_for_again(
    log, client, two, live_database, superuser
) -> None:
    """And what somebody wrote there that the log's key did not sign counts for nothing."""
    await _signed(log, live_database, client, two)
    for each in two:
        assert (await each.present(client, log.held[-1])).json()["kept"]
    await superuser.execute(
        "UPDATE audit_presented SET size = size + 1000, note = 'x', kept = false"
    )
    await looks(live_database, 1)
    await log.seal()
    await two[0].present(client, log.held[-1])
    await superuser.execute(_BACK.format(7))
    await log.again()
    await looks(live_database, 30)
    with pytest.raises(LogForked):
        await log.seal()


async def test_only_a_witness_presents_and_only_what_a_key_of_the_log_signed(
    log, client, two, live_database, operators
) -> None:
    said = {"key": str(NEXT.public)}
    none = await client.post(LOGS, json=said, headers=operators[0].headers)
    assert problem(none) == (409, "no-log-before")
    await _signed(log, live_database, client, two)
    note = log.held[-1]
    bad = (
        note.replace(note.split("\n")[2], "A" * 43 + "="),
        Signer.generate(KEY.name).checkpoint(3, bytes(32)),
        NEXT.checkpoint(3, bytes(32)),
        note.partition("\n\n")[0],
        KEY.checkpoint(0, bytes(32)),
    )
    for each in bad:
        assert problem(await two[0].present(client, each)) == (422, "checkpoint-foreign"), each
    path = f"/v1/audit/witnesses/{await _id_of(client, two[0])}/end"
    await send_by_two(client, *operators, "endWitness", "POST", path)
    assert problem(await two[0].present(client, note)) == (403, "not-a-witness")


async def _id_of(client, witness: Witness) -> str:
    page = (await client.get("/v1/audit/witnesses", headers=witness.caller.headers)).json()
    mine = str(witness.caller.agency_id)
    return next(item["id"] for item in page["items"] if item["agency_id"] == mine)
