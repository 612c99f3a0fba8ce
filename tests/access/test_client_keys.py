"""Keys of clients: replaced by whoever has one, ended in time, told of before (TOK-5)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.access import assertions, jobs, operations, queries
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.approving import problem, propose, send_by_two
from tests.access.apps import Machine, a_key, a_machine
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def operator(database, settings):
    await some_regions(database, 120119101200)
    return await a_caller(database, settings, "operator", 120119000000)


@pytest.fixture
async def colleague(database, settings, operator):
    """The second operator."""
    agency = operator.agency_id
    return await a_caller(database, settings, "operator", 120119000000, agency_id=agency)


def statement(
    machine: Machine, now, keys: list[dict[str, Any]], *, typ: str | None = None, **changed: Any
) -> str:
    header = {"typ": typ or assertions.KEYS_TYPE}
    return machine.assertion(now, header=header, **{"jwks": {"keys": keys}, **changed})


async def replace(client, caller, machine, keys, **more: Any):
    place = f"/v1/clients/{machine.client_id}/jwks"
    return await client.put(place, json={"keys": keys, **more}, headers=caller.headers)


async def test_are_replaced_by_who_has_one(client, database, operator, now) -> None:
    machine, (pem, public) = await a_machine(database), a_key()
    said = statement(machine, now, [public])
    answer = await replace(client, operator, machine, [public], statement=said)
    assert answer.status_code == 200, answer.text
    assert answer.json()["keys_until"].startswith("2027-11-20")
    new = Machine(machine.client_id, machine.agency_id, pem)
    for one, status in ((machine, 401), (new, 200)):
        told = await client.post("/oauth/token", data={**GRANT, **one.proof(now)})
        assert told.status_code == status
    again = await replace(client, operator, machine, [public], statement=said)
    assert again.json()["type"] == "/problems/old-key-unproven"


WRONG = {
    "another key set": (lambda m, now, _: statement(m, now, [a_key()[1]]), "that is sent"),
    "no key set": (lambda m, now, _: statement(m, now, [], jwks=...), None),
    "for another issuer": (lambda m, now, k: statement(m, now, k, aud="x"), "issuer"),
    "long ago": (lambda m, now, k: statement(m, now - timedelta(minutes=6), k), "ago"),
    "an assertion": (lambda m, now, k: statement(m, now, k, typ="JWT"), None),
    "by another key": (
        lambda m, now, k: statement(Machine(m.client_id, m.agency_id, a_key()[0]), now, k),
        None,
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_who_may_write_clients_and_has_no_key_replaces_none(
    client, database, operator, now, case
) -> None:
    """A token stolen for five minutes becomes no key for ever."""
    machine, (_, public) = await a_machine(database), a_key()
    make, told = WRONG[case]
    said = make(machine, now, [public])
    answer = await replace(client, operator, machine, [public], statement=said)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/old-key-unproven")
    assert (told or "") in answer.json().get("detail", "")
    kept = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
    assert kept.status_code == 200
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT operation, decision FROM audit_entries")
    assert ("replaceClientKeys", "denied") in {tuple(row) for row in rows}


async def test_without_a_word_of_the_old_key_it_takes_two(
    client, database, operator, colleague, now
) -> None:
    machine, (pem, public) = await a_machine(database), a_key()
    alone = await replace(client, operator, machine, [public])
    assert problem(alone) == (403, "approval-required")
    kept = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
    assert kept.status_code == 200
    how = ("replaceClientKeys", "PUT", f"/v1/clients/{machine.client_id}/jwks")
    answer = await send_by_two(client, operator, colleague, *how, {"keys": [public]})
    assert answer.status_code == 200, answer.text
    new = Machine(machine.client_id, machine.agency_id, pem).proof(now)
    told = await client.post("/oauth/token", data={**GRANT, **new})
    assert told.status_code == 200


async def test_with_a_word_of_the_old_key_none_is_asked(client, database, operator, now) -> None:
    """Nor can one be: nothing is approved that one person may do."""
    machine, (_, public) = await a_machine(database), a_key()
    body = {"keys": [public], "statement": statement(machine, now, [public])}
    path = f"/v1/clients/{machine.client_id}/jwks"
    refused = await propose(client, operator, "replaceClientKeys", path, body)
    assert problem(refused) == (422, "not-guarded")
    answer = await client.put(path, json=body, headers=operator.headers)
    assert answer.status_code == 200, answer.text  # the word was not spent


async def test_statement_used_twice_is_told(client, database, operator, now) -> None:
    machine, (pem, public) = await a_machine(database), a_key()
    said = statement(machine, now, [public], jti="once")
    assert (await replace(client, operator, machine, [public], statement=said)).status_code == 200
    new = Machine(machine.client_id, machine.agency_id, pem)
    back = statement(new, now, [public], jti="once")
    again = await replace(client, operator, machine, [public], statement=back)
    assert "used before" in again.json()["detail"]


@pytest.mark.parametrize("why", ["active = false", "keys_until = $2"])
async def test_keys_that_count_no_more_speak_for_none(client, database, operator, now, why) -> None:
    """A client is suspended because its key was stolen; who stole it does not name the next."""
    machine, (_, public) = await a_machine(database), a_key()
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            f"UPDATE clients SET {why} WHERE id = $1 AND $2::timestamptz IS NOT NULL",
            machine.client_id,
            now,
        )
    said = statement(machine, now, [public])
    answer = await replace(client, operator, machine, [public], statement=said)
    assert problem(answer) == (403, "old-key-unproven")
    assert "count no more" in answer.json()["detail"]


async def test_statement_is_no_assertion(client, database, now) -> None:
    machine, (_, public) = await a_machine(database), a_key()
    proof = machine.proof(now) | {"client_assertion": statement(machine, now, [public])}
    answer = await client.post("/oauth/token", data={**GRANT, **proof})
    assert answer.json()["error"] == "invalid_client"


async def test_end_in_time(client, database, operator, now) -> None:
    machine, (pem, public) = await a_machine(database), a_key()
    ends = now + timedelta(days=3)
    said = statement(machine, now, [public])
    answer = await replace(
        client, operator, machine, [public], statement=said, until=ends.isoformat()
    )
    assert answer.json()["keys_until"] == "2026-11-23T02:00:00Z"
    new = Machine(machine.client_id, machine.agency_id, pem)
    for at, status in ((ends - timedelta(seconds=1), 200), (ends, 401)):
        database.clock = lambda at=at: at
        told = await client.post("/oauth/token", data={**GRANT, **new.proof(at)})
        assert told.status_code == status
    assert "Its keys ended at 2026-11-23" in told.json()["error_description"]


@pytest.mark.parametrize("days", [0, 366])
async def test_end_within_a_year(client, database, operator, now, days) -> None:
    machine, (_, public) = await a_machine(database), a_key()
    ends = (now + timedelta(days=days)).isoformat()
    answer = await replace(client, operator, machine, [public], until=ends)
    assert answer.json()["errors"][0]["code"] == "keys_end"


async def test_agency_is_told_a_month_and_a_week_before(database, now) -> None:
    machine = await a_machine(database)
    province = await a_machine(database, "civil_affairs", 120000000000, agency_kind="civil_affairs")
    told = []
    for days in (0, 336, 337, 350, 358, 359, 365):
        database.clock = lambda after=days: now + timedelta(days=after)
        async with database.begin(SYSTEM) as tx:
            await jobs.tell_of_ending_keys(tx, {})
            told.append(
                await tx.connection.fetchval(
                    "SELECT count(*) FROM events WHERE wire_name = 'access.keys_ending'"
                )
            )
    assert told == [0, 2, 2, 2, 4, 4, 4]
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT subject_id, told_to FROM events")
    assert {(str(row["subject_id"]), *row["told_to"]) for row in rows} == {
        (str(each.client_id), str(each.agency_id)) for each in (machine, province)
    }


async def test_however_many_end_on_one_day_each_is_told_once(database, now, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_TOLD_AT_ONCE", 2)
    made = [await a_machine(database) for _ in range(5)]
    database.clock = lambda: now + timedelta(days=340)
    async with database.begin(SYSTEM) as tx:
        await jobs.tell_of_ending_keys(tx, {})
        assert await tx.connection.fetchval("SELECT count(*) FROM events") == 2
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT subject_id FROM events WHERE wire_name = 'access.keys_ending'"
        )
    assert sorted(row["subject_id"] for row in rows) == sorted(each.client_id for each in made)


class TestPublished:
    """`jwks_uri`: what is read there is given here (how it is read: tests/webhooks)."""

    URL = "https://cases.example/keys.json"

    def asked(self, operator, **more: Any) -> dict[str, Any]:
        return {
            "name": "Case system",
            "agency_id": str(operator.agency_id),
            "role": "operator",
            "region_code": "120119000000",
            "jwks_uri": self.URL,
            **more,
        }

    async def registered(self, client, operator, **more: Any):
        body = self.asked(operator, **more)
        return await client.post("/v1/clients", json=body, headers=operator.headers)

    async def test_registered_and_proven_once_they_are_read(
        self, client, database, operator, colleague, now
    ) -> None:
        how = ("registerClient", "POST", "/v1/clients", self.asked(operator))
        made = (await send_by_two(client, operator, colleague, *how)).json()
        assert (made["jwks_uri"], made["client_secret"], made["key_ids"]) == (self.URL, None, [])
        pem, public = a_key()
        machine = Machine(made["id"], operator.agency_id, pem)
        unread = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
        assert unread.status_code == 401
        async with database.begin(SYSTEM) as tx:
            (due,) = await queries.key_sets_due(tx, timedelta(minutes=5))
            body = json.dumps({"keys": [public]}).encode()
            assert await operations.take_key_set(tx, *due, body) is None
            assert await queries.key_sets_due(tx, timedelta(minutes=5)) == []
        read = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
        assert read.status_code == 200, read.text
        async with database.begin(SYSTEM) as tx:
            for rubbish in (None, b"", b"[]", b"{}", b'{"keys": [{}]}', b"\xff"):
                assert await operations.take_key_set(tx, *due, rubbish) is not None
            for other in ((due[0], "https://else.example/"), (new_id(), self.URL)):
                assert await operations.take_key_set(tx, *other, body) is not None
        kept = await client.post("/oauth/token", data={**GRANT, **machine.proof(now)})
        assert kept.status_code == 200
        late = now + timedelta(days=1)
        database.clock = lambda: late
        ended = await client.post("/oauth/token", data={**GRANT, **machine.proof(late)})
        assert "Its keys ended" in ended.json()["error_description"]

    async def test_keys_are_given_in_one_way(self, client, operator) -> None:
        twice = await self.registered(client, operator, jwks={"keys": [a_key()[1]]})
        assert twice.json()["errors"][0]["code"] == "keys_twice"
        plain = await self.registered(client, operator, jwks_uri="http://cases.example/keys")
        assert plain.json()["type"] == "/problems/validation-failed"
