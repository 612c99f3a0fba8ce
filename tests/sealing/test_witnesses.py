"""Checkpoints are told to witnesses, who check that they go on, and countersign."""

from base64 import b64decode
from datetime import timedelta

import pytest
from tonghu_verify import tree
from tonghu_verify.__main__ import main

from app.core.data import db
from app.core.jobs import queue
from app.sealing import queries, standing
from app.sealing.events import Trouble
from tests.access.approving import problem, send_by_two
from tests.access.factories import a_caller
from tests.conftest import NOW
from tests.jobs import hand_out
from tests.sealing.stage import KEY, exported, look, looks
from tests.sealing.witnesses import COUNTY, WITNESSES, Witness, announced

pytestmark = pytest.mark.xdist_group("sealing")


async def test_each_is_told_checks_that_it_goes_on_and_countersigns(
    log, client, two, live_database, tmp_path, capsys
) -> None:
    held = tmp_path / "held"
    held.mkdir()
    for number, many in enumerate((3, 70, 5), 1):
        await looks(live_database, many)
        await log.seal()
        for each in two:
            told = await announced(live_database, each.caller.agency_id)
            assert len(told) == number, "each is told once of each"
            await hand_out(live_database)
            assert await _heard(client, each.caller) == told
            found = await each.fetch(client, told[-1])
            answer = await each.cosign(client, told[-1], each.line(found["note"]))
            assert answer.status_code == 201, answer.text
            again = await each.cosign(client, told[-1], each.line(found["note"], 1))
            assert (again.status_code, again.json()) == (200, answer.json())
    full = await two[0].fetch(client, told[-1])
    assert full["cosigned"] == 2
    (held / "3").write_text(full["note"], "utf-8")
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"\n".join(await exported(live_database)))
    asked = [str(file), str(held), "--key", str(KEY.public)]
    keys = [word for each in two for word in ("--witness", each.key)]
    assert main([*asked, *keys]) == 0
    assert "cosigned by civil_affairs.example, police.example" in capsys.readouterr().out
    other = Witness("elsewhere.example", two[0].caller, str(KEY.public))
    assert main([*asked, *keys, "--witness", other.key]) == 1
    assert "is cosigned by 2 witnesses, not by 3" in capsys.readouterr().out
    assert main([*asked, "--witness", other.key, "--cosigned", "0"]) == 0
    page = (await client.get(WITNESSES, headers=two[0].caller.headers)).json()
    assert {item["cosigned_size"] for item in page["items"]} == {log.state.signed}


async def _heard(client, caller) -> list[str]:
    """What a system's feed says of checkpoints."""
    page = (await client.get("/v1/events", headers=caller.headers)).json()
    return [
        item["data"]["checkpoint_id"]
        for item in page["items"]
        if item["type"] == "checkpoints.made"
    ]


async def test_the_list_is_largest_first_and_a_proof_is_of_what_is_not_larger(
    log, client, two, live_database
) -> None:
    for many in (2, 2):
        await looks(live_database, many)
        await log.seal()
    headers = two[0].caller.headers
    page = (await client.get("/v1/audit/checkpoints", headers=headers)).json()
    sizes = [item["size"] for item in page["items"]]
    assert sizes == sorted(sizes, reverse=True)
    last, first = page["items"][0], page["items"][-1]
    path = f"/v1/audit/checkpoints/{first['id']}"
    plain = await client.get(path, headers=headers)
    assert (plain.json()["since"], plain.json()["consistency"]) == (None, None)
    empty = await client.get(path, params={"since": "0"}, headers=headers)
    assert empty.json()["consistency"] == []
    beyond = await client.get(path, params={"since": str(last["size"])}, headers=headers)
    assert problem(beyond) == (422, "size-beyond")
    nowhere = "/v1/audit/checkpoints/00000000-0000-7000-8000-000000000000"
    assert problem(await client.get(nowhere, headers=headers)) == (404, "checkpoint-not-found")


async def test_an_entry_is_proved_to_be_sealed(log, client, two, live_database) -> None:
    await looks(live_database, 300)
    await log.seal()
    await looks(live_database, 1)
    entries = await log.connection.fetch(
        "SELECT l.n, l.entry_id, e.operation FROM audit_leaves l"
        " JOIN audit_entries e ON e.id = l.entry_id WHERE l.n % 97 = 0 OR l.n > 296 ORDER BY l.n"
    )
    headers = two[0].caller.headers
    last = (await client.get("/v1/audit/checkpoints", headers=headers)).json()["items"][0]
    path = f"/v1/audit/checkpoints/{last['id']}/inclusion"
    for row in entries:
        asked = {"entry_id": str(row["entry_id"])}
        found = (await client.get(path, params=asked, headers=headers)).json()
        proof = [b64decode(each) for each in found["path"]]
        hash_, root = b64decode(found["hash"]), b64decode(last["root"])
        assert tree.includes(hash_, found["leaf"], last["size"], proof, root)
        assert not tree.includes(hash_, found["leaf"] + 1, last["size"], proof, root)
    waits = await log.connection.fetchval("SELECT max(id::text) FROM audit_entries")
    missing = await client.get(path, params={"entry_id": waits}, headers=headers)
    assert problem(missing) == (404, "entry-not-sealed")


async def test_only_a_witness_signs_and_only_over_this_checkpoint(
    log, client, two, live_database, settings, operators
) -> None:
    for many in (2, 2):
        await looks(live_database, many)
        await log.seal()
    last, first = (await _announced_all(client, two[0]))[:2]
    mine = two[0]
    old, new = await mine.fetch(client, first), await mine.fetch(client, last)
    stranger = Witness("stranger.example", mine.caller, str(KEY.public))
    for line in (
        mine.line(old["note"]),
        stranger.line(new["note"]),
        mine.line(new["note"])[:-4] + "AAA=",
        f"— {mine.name} AAAA",
        mine.line(new["note"]).replace(mine.name, "another.example"),
        mine.line(new["note"], of=stranger),
        mine.line(new["note"], 2**63),
    ):
        answer = await mine.cosign(client, last, line)
        assert problem(answer) == (422, "cosignature-invalid"), line
    nobody = await a_caller(live_database, settings, "police", COUNTY, machine=True)
    stranger.caller = nobody
    answer = await stranger.cosign(client, last, stranger.line(new["note"]))
    assert problem(answer) == (403, "not-a-witness")
    page = (await client.get(WITNESSES, headers=mine.caller.headers)).json()
    mine_id = next(
        item["id"] for item in page["items"] if item["agency_id"] == str(mine.caller.agency_id)
    )
    path = f"{WITNESSES}/{mine_id}/end"
    alone = await client.post(path, headers=operators[0].headers)
    assert problem(alone) == (403, "approval-required")
    ended = await send_by_two(client, *operators, "endWitness", "POST", path)
    assert (ended.status_code, ended.json()["ended_at"] is not None) == (200, True)
    answer = await mine.cosign(client, last, mine.line(new["note"]))
    assert problem(answer) == (403, "not-a-witness")
    again = await client.post(path, headers=operators[0].headers)
    assert problem(again) == (409, "witness-over")
    nowhere = f"{WITNESSES}/00000000-0000-7000-8000-000000000000/end"
    missing = await client.post(nowhere, headers=operators[0].headers)
    assert problem(missing) == (404, "witness-not-found")


async def _announced_all(client, witness: Witness) -> list[str]:
    answer = await client.get("/v1/audit/checkpoints", headers=witness.caller.headers)
    return [item["id"] for item in answer.json()["items"]]


async def test_who_is_registered_is_an_agency_that_can_be_one_once(
    client, two, live_database, settings, operators
) -> None:
    one, _ = operators
    school = await a_caller(live_database, settings, "school", COUNTY)
    police = await a_caller(live_database, settings, "police", COUNTY)

    async def said(agency, key: str) -> tuple[int, str]:
        body = {"agency_id": str(agency), "key": key}
        return problem(await client.post(WITNESSES, json=body, headers=one.headers))

    key = two[0].key
    unfit = (422, "witness-unfit")
    closed = await a_caller(live_database, settings, "police", COUNTY)
    async with live_database.begin(db.SYSTEM) as tx:
        put = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(put, closed.agency_id)
    assert await said(closed.agency_id, key) == unfit
    assert await said(school.agency_id, key) == unfit
    assert await said(one.agency_id, key) == unfit
    assert await said("00000000-0000-7000-8000-000000000000", key) == unfit
    assert await said(police.agency_id, str(KEY.public)) == unfit, "the key of a log"
    name, _, rest = key.split("+", 2)
    assert await said(police.agency_id, f"{name}+00000000+{rest}") == unfit
    assert await said(two[0].caller.agency_id, key) == (409, "witness-there")
    new = Witness("police.example", police, str(KEY.public))
    assert await said(police.agency_id, new.key) == (403, "approval-required")


async def test_who_holds_one_key_is_one_witness(
    log, client, two, live_database, settings, operators
) -> None:
    """By whichever name; and a key that was given up is nobody's any more."""
    await looks(live_database, 1)
    await log.seal()
    mine = two[0]
    police = await a_caller(live_database, settings, "police", COUNTY)
    again = Witness("another.example", police, str(KEY.public), private=mine.private)
    of_log = Witness("another.example", police, str(KEY.public), private=KEY.private)
    for witness in (again, of_log):
        body = {"agency_id": str(police.agency_id), "key": witness.key}
        answer = await client.post(WITNESSES, json=body, headers=operators[0].headers)
        assert problem(answer) == (422, "witness-unfit"), witness
    page = (await client.get(WITNESSES, headers=mine.caller.headers)).json()["items"]
    [id_] = (each["id"] for each in page if each["key"] == mine.key)
    path = f"{WITNESSES}/{id_}/end"
    ended = await send_by_two(client, *operators, "endWitness", "POST", path)
    assert ended.status_code == 200, ended.text
    body = {"agency_id": str(mine.caller.agency_id), "key": mine.key}
    answer = await client.post(WITNESSES, json=body, headers=operators[0].headers)
    assert problem(answer) == (422, "witness-unfit")


async def _watched(database: db.Database) -> list[str]:
    async with database.begin(db.SYSTEM) as tx:
        await queue.REGISTRY["sealing.watch"].handler(tx, {})
        rows = await tx.connection.fetch(
            "SELECT data ->> 'trouble' FROM events WHERE wire_name = 'checkpoints.in_trouble'"
            " ORDER BY n"
        )
    return [row[0] for row in rows]


async def test_operators_are_told_what_is_wrong_once_an_hour(
    log, client, two, live_database, operators, monkeypatch
) -> None:
    later = NOW
    monkeypatch.setattr(live_database, "clock", lambda: later)
    few = ["too_few_witnesses"]
    assert await _watched(live_database) == few
    later = NOW + timedelta(minutes=4)
    assert await _watched(live_database) == few
    later = NOW
    await looks(live_database, 3)
    await log.seal()
    for each in two:
        for checkpoint in await _announced_all(client, each):
            each.size = 0
            found = await each.fetch(client, checkpoint)
            await each.cosign(client, checkpoint, each.line(found["note"]))
    later = NOW + timedelta(hours=2)
    assert await _watched(live_database) == [*few, "sealing_late"]
    log.now -= timedelta(hours=1)
    await log.seal()
    later += timedelta(hours=2)
    assert await _watched(live_database) == [*few, "sealing_late", "signing_late"]
    later += timedelta(days=1)
    log.now = later
    await log.seal()
    assert await _watched(live_database) == [*few, "sealing_late", "signing_late", *few]
    await hand_out(live_database)


async def test_two_that_go_on_hold_what_was_signed(log, client, two, live_database) -> None:
    async def few() -> bool:
        async with live_database.begin(db.SYSTEM) as tx:
            found = (await standing.standing(tx.connection)).troubles(NOW)
            return Trouble.too_few_witnesses in found

    await looks(live_database, 3)
    await log.seal()
    [checkpoint] = await _announced_all(client, two[0])
    for each, is_few in zip(two, (True, False), strict=True):
        note = (await each.fetch(client, checkpoint))["note"]
        assert await few()
        assert (await each.cosign(client, checkpoint, each.line(note))).status_code == 201
        assert await few() is is_few
    async with live_database.begin(db.SYSTEM) as tx:
        put = "UPDATE audit_witnesses SET ended_at = $2 WHERE agency_id = $1"
        await tx.connection.execute(put, two[1].caller.agency_id, NOW)
    assert await few(), "who was ended holds it, and goes on no more"
    await looks(live_database, 1)
    await log.seal()
    told = [await announced(live_database, each.caller.agency_id) for each in two]
    assert [len(each) for each in told] == [1, 0], "and is told of nothing more"


async def test_each_trouble_is_told_again_each_hour_to_operators_at_work(
    log, client, two, live_database, operators, monkeypatch
) -> None:
    """Also where nothing was ever sealed."""
    later = NOW + timedelta(minutes=6)
    monkeypatch.setattr(live_database, "clock", lambda: later)
    few, late = "too_few_witnesses", "sealing_late"
    async with live_database.begin(db.SYSTEM) as tx:
        found = await standing.standing(tx.connection)
        assert [*found.troubles(NOW + timedelta(minutes=5))] == [few]
    assert await _watched(live_database) == [late, few]
    later += timedelta(minutes=59)
    assert await _watched(live_database) == [late, few]
    later += timedelta(minutes=2)
    assert await _watched(live_database) == [late, few] * 2
    async with live_database.begin(db.SYSTEM) as tx:
        put = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(put, operators[0].agency_id)
    later += timedelta(hours=2)
    assert await _watched(live_database) == [late, few] * 2


async def test_no_entry_is_proved_by_a_checkpoint_before_it(
    log, client, two, live_database
) -> None:
    await looks(live_database, 3)
    await log.seal()
    size = log.state.signed
    await looks(live_database, 1)
    await log.seal()
    entry = await log.connection.fetchval("SELECT entry_id FROM audit_leaves WHERE n = $1", size)
    last, first = await _announced_all(client, two[0])
    for checkpoint, status in ((first, 404), (last, 200)):
        path = f"/v1/audit/checkpoints/{checkpoint}/inclusion"
        asked = {"entry_id": str(entry)}
        answer = await client.get(path, params=asked, headers=two[0].caller.headers)
        assert answer.status_code == status, answer.text


async def test_what_was_sealed_late_makes_nothing_of_before_wait(log, live_database) -> None:
    """The last leaf may be of a transaction that began before those of others."""
    async with live_database.begin(db.SYSTEM) as late:
        await look(late)
        await looks(live_database, 2)
        await log.seal()
    await log.seal()
    async with live_database.begin(db.SYSTEM) as tx:
        assert (await standing.standing(tx.connection)).waits_since is None
    await looks(live_database, 1)
    async with live_database.begin(db.SYSTEM) as tx:
        assert (await standing.standing(tx.connection)).waits_since == NOW


async def test_on_another_server_what_is_not_sealed_waits_and_what_was_does_not(
    log, live_database, superuser
) -> None:
    """Its transactions are numbered anew, below all that was brought along."""
    await looks(live_database, 3)
    await log.seal()
    await superuser.execute("UPDATE audit_entries SET committed_in = committed_in + 1000000000")
    await looks(live_database, 1)
    async with live_database.begin(db.SYSTEM) as tx:
        assert (await standing.standing(tx.connection)).waits_since == NOW
    await log.seal()
    async with live_database.begin(db.SYSTEM) as tx:
        assert (await standing.standing(tx.connection)).waits_since is None


_MANY = """
INSERT INTO audit_cosignatures (witness_id, size, line, said_at, received_at)
SELECT id, n, '-', now(), now() FROM
    (SELECT id FROM audit_witnesses ORDER BY id LIMIT 1) w, generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize("statement", [standing._HELD, queries._WITNESSES])
async def test_a_witness_who_signed_nothing_is_found_beside_one_who_signed_much(
    two, live_database, superuser, statement: str
) -> None:
    await superuser.execute(_MANY)
    await superuser.execute("ANALYZE audit_cosignatures")
    async with live_database.begin(db.SYSTEM) as tx:
        rows = await tx.connection.fetch(statement)
        [told] = await tx.connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        )
    assert len(rows) == 2
    assert {*rows[0].values(), *rows[1].values()} >= {20000, None}
    assert told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"] < 60


async def test_the_figures_say_how_it_stands(log, client, two, live_database) -> None:
    def figures(text: str) -> dict[str, float]:
        return {
            name: float(value)
            for name, value in (
                line.rsplit(" ", 1) for line in text.splitlines() if "#" not in line
            )
            if name.startswith("tonghu_audit")
        }

    before = figures((await client.get("/metrics")).text)
    assert before["tonghu_audit_sealed_rows"] == 0
    assert before['tonghu_audit_trouble{trouble="too_few_witnesses"}'] == 1
    await looks(live_database, 3)
    await log.seal()
    after = figures((await client.get("/metrics")).text)
    assert after["tonghu_audit_sealed_rows"] == after["tonghu_audit_signed_rows"] > 3
    behind = [value for name, value in after.items() if "behind_rows" in name]
    assert behind == [after["tonghu_audit_sealed_rows"]] * 2
