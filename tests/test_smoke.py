from app.core.data.db import Database


async def test_transaction_sees_its_reach(database: Database) -> None:
    async with database.begin() as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM staff") == 0


async def test_unknown_path_is_a_problem(client) -> None:
    answer = await client.get("/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
