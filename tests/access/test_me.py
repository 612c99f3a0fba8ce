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
