from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.apps import a_person, signed_in
from tests.access.factories import a_caller


async def test_reads_who_the_token_speaks_for(client, database, settings, queries) -> None:
    caller = await a_caller(database, settings, "village_director", 120119101200)
    queries.clear()
    answer = await client.get("/v1/me", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["role"] == "village_director"
    assert answer.json()["region_code"] == "120119101200"
    assert len(queries) == 1, queries.statements


async def test_refuses_without_a_token(client) -> None:
    answer = await client.get("/v1/me")
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="tonghu", DPoP realm="tonghu", algs="ES256"'
    )


async def test_scope_missing_is_denied_and_audited(client, database, settings) -> None:
    caller = await a_caller(
        database, settings, "village_director", 120119101200, scopes=frozenset()
    )
    answer = await client.get("/v1/me", headers=caller.headers)
    assert answer.status_code == 403
    async with database.begin() as tx:
        await tx.connection.execute("SELECT set_config('tonghu.caller', 'system', true)")
        row = await tx.connection.fetchrow("SELECT * FROM audit_entries")
    assert (row["decision"], row["rule"], row["operation"]) == ("denied", "scope-missing", "readMe")


async def test_a_person_ends_their_own(client, database, unique) -> None:
    await a_person(database, unique)
    _, first = await signed_in(client, database, unique)
    _, second = await signed_in(client, database, unique)
    one, two = ({"authorization": f"Bearer {issued['access_token']}"} for issued in (first, second))
    listed = (await client.get("/v1/me/sign-ins", headers=one)).json()["items"]
    assert len(listed) == 2
    other = await client.post(f"/v1/me/sign-ins/{new_id()}/end", headers=one)
    assert other.json()["type"] == "/problems/sign-in-not-found"
    ids = {each["id"] for each in listed}
    async with database.begin(SYSTEM) as tx:
        oldest = await tx.connection.fetchval(
            "SELECT id FROM sign_ins ORDER BY started_at, id LIMIT 1"
        )
    assert str(oldest) in ids
    assert (await client.post(f"/v1/me/sign-ins/{oldest}/end", headers=one)).json() == {"ended": 1}
    alive = [
        headers
        for headers in (one, two)
        if (await client.get("/v1/me", headers=headers)).status_code == 200
    ]
    assert len(alive) == 1
    assert (await client.post("/v1/me/sign-ins/end", headers=alive[0])).json() == {"ended": 1}
    assert (await client.get("/v1/me", headers=alive[0])).status_code == 401


async def test_nobody_ends_anothers(client, database, unique) -> None:
    for name in (unique, f"{unique}2"):
        await a_person(database, name)
    _, mine = await signed_in(client, database, unique)
    _, theirs = await signed_in(client, database, f"{unique}2")
    me, other = ({"authorization": f"Bearer {each['access_token']}"} for each in (mine, theirs))
    [listed] = (await client.get("/v1/me/sign-ins", headers=other)).json()["items"]
    answer = await client.post(f"/v1/me/sign-ins/{listed['id']}/end", headers=me)
    assert answer.json()["type"] == "/problems/sign-in-not-found"
    assert (await client.get("/v1/me", headers=other)).status_code == 200


async def test_a_machine_has_none_to_end(client, database, settings) -> None:
    machine = await a_caller(database, settings, "police", 120119101200, machine=True)
    for method, path in (("GET", "sign-ins"), ("POST", "sign-ins/end")):
        answer = await client.request(method, f"/v1/me/{path}", headers=machine.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")
