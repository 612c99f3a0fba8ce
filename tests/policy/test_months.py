"""A month that is due goes as one, but for what stays of it; who writes does not wait."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.core.clock import utc_now
from app.core.data import months, retention, rls, sql
from app.core.data.db import SYSTEM, Database, Tx
from app.core.data.months import Month
from app.core.data.retention import KINDS
from app.core.ids import new_id
from app.core.jobs import queue
from app.policy import operations
from app.policy.jobs import make_months
from tests import schema
from tests.conftest import NOW
from tests.jobs import run_jobs
from tests.policy.test_retention import NIGHT, ids
from tests.waiting import PATIENCE

__all__ = ["ids"]
KIND = KINDS["webhook_attempts"]
DONE = "UPDATE webhook_deliveries SET delivery_class = 'S', state = 'succeeded'"
GONE = "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_gone' AND relkind = 'r'"
PARTS = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass"


async def a_month(tx: Tx) -> Month:
    month = await months.oldest(tx.connection, KIND.table)
    assert month is not None
    return month


async def attempts(tx: Tx, month: Month, number: int, delivery: UUID, *, first: int = 1) -> None:
    """Store attempts at a delivery whose ids are of a month."""
    whose = {"delivery_id": delivery, "agency_id": new_id(), "key_ids": []}
    said = {"trigger": "auto", "duration_ms": 1, "response_truncated": False, "started_at": NOW}
    for n in range(first, first + number):
        row: dict[str, Any] = {"id": UUID(int=month.begins.int + n), "number": n, **whose, **said}
        await sql.insert(tx.connection, "webhook_attempts", row)


async def parts(tx: Tx, table: str = "webhook_attempts") -> set[str]:
    return {row["name"] for row in await tx.connection.fetch(PARTS, table)}


async def numbers(tx: Tx, delivery: UUID) -> list[int]:
    rows = await tx.connection.fetch(
        "SELECT number FROM webhook_attempts WHERE delivery_id = $1 ORDER BY 1", delivery
    )
    return [row["number"] for row in rows]


async def test_a_month_is_replaced_by_what_stays_and_then_goes_row_by_row(
    database: Database, ids: Mapping[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED_AHEAD", 2)
    async with database.begin(SYSTEM) as tx:
        month, before = await a_month(tx), await parts(tx)
        open_one = await tx.connection.fetchval("SELECT id FROM webhook_deliveries")
        await attempts(tx, month, 3, open_one)
        await attempts(tx, month, 4, new_id(), first=4)
        assert (await operations.forget(tx, KIND)).deleted == 0  # not one by one
        before_it = Month("", UUID(int=month.begins.int >> 8), month.begins)
        await attempts(tx, before_it, 3, new_id())  # go, from the same places of another part
    await _all_months(database)
    async with database.begin(SYSTEM) as tx:
        assert await numbers(tx, open_one) == [1, 2, 3]
        assert await tx.connection.fetchval("SELECT count(*) FROM webhook_attempts") == 3
        gone = {name for name in before if "until" not in name}
        assert await parts(tx) == before - gone | {f"{month.name}_kept"}
        assert await tx.connection.fetchval(GONE) == 0
        await tx.connection.execute(DONE)
        while (batch := await operations.forget(tx, KIND)).last is not None:
            pass
        assert batch.deleted <= 3
        assert await numbers(tx, open_one) == []


async def _all_months(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "policy.begin_forgetting", [{}])
    await run_jobs(database)


async def test_a_month_stays_until_its_last_day_is_due(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        month = await a_month(tx)
        assert month.name == min(name for name in await parts(tx) if "until" not in name)
        ends = datetime.fromtimestamp((month.ends.int >> 80) / 1000, NOW.tzinfo)
        assert await retention.month_due(tx.connection, KIND, ends) is None
        due = await retention.month_due(tx.connection, KIND, ends + timedelta(days=1))
        assert due == month
        assert await months.oldest(tx.connection, "idempotency_keys") is None


async def test_no_further_month_is_begun_in_the_morning(database: Database) -> None:
    database.clock = lambda: NIGHT + timedelta(hours=4)
    async with database.begin(SYSTEM) as tx:
        before = await parts(tx)
    await _all_months(database)
    async with database.begin(SYSTEM) as tx:
        assert len(before - await parts(tx)) == 1


async def test_of_a_large_month_no_more_is_put_by_in_the_morning(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED_AHEAD", 1)
    database.clock = lambda: NIGHT + timedelta(hours=4)
    async with database.begin(SYSTEM) as tx:
        before = await parts(tx)
        await attempts(tx, await a_month(tx), 3, new_id())
    await _all_months(database)
    async with database.begin(SYSTEM) as tx:
        assert await parts(tx) == before


async def test_when_no_month_is_due_a_night_goes_on_row_by_row(
    database: Database, ids: Mapping[str, UUID]
) -> None:
    async with database.begin(SYSTEM) as tx:
        month = await a_month(tx)
        first = Month("", UUID(int=month.begins.int >> 8), month.begins)
        await attempts(tx, first, 3, new_id())
    await _all_months(database)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM webhook_attempts") == 0


async def test_a_month_in_use_is_left_for_another_night(
    live_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Database(live_database.engine, live_database.keyring, lambda: NIGHT)
    async with asyncio.timeout(PATIENCE), live_database.begin(SYSTEM) as reader:
        await reader.connection.execute("SELECT FROM webhook_attempts")
        before = await parts(reader)
        async with later.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, "policy.shrink_month", [{"kind": KIND.table}])
        with capture_logs() as logs:
            done = await run_jobs(later)
        assert done[-1] == "policy.forget"  # what goes one by one does not wait for it
        assert "retention.month_in_use" in [line["event"] for line in logs]
        assert await parts(reader) == before


async def test_where_another_month_was_left_off_is_no_place_in_this_one(
    database: Database, ids: Mapping[str, UUID]
) -> None:
    """Another run replaced it meanwhile. What came before that place would be lost."""
    async with database.begin(SYSTEM) as tx:
        month = await a_month(tx)
        open_one = await tx.connection.fetchval("SELECT id FROM webhook_deliveries")
        await attempts(tx, month, 3, open_one)
        await months.begin_replacing(tx.connection, month)  # of a night that broke off
        far = str(UUID(int=month.ends.int - 1))
        done = await operations.put_by(tx, KIND, month="webhook_attempts_2020_01", after=far)
        assert done is not None
        assert await operations.replace_month(tx, KIND, month.name, done.kept)
        assert await numbers(tx, open_one) == [1, 2, 3]


async def test_one_at_a_time_lets_months_go(live_database: Database) -> None:
    later = Database(live_database.engine, live_database.keyring, lambda: NIGHT)
    async with later.begin(SYSTEM) as one, later.begin(SYSTEM) as other:
        assert await operations.forget(one, KIND)
        assert await operations.put_by(other, KIND) is None
        month = (await a_month(other)).name
        assert await operations.replace_month(other, KIND, month, None) is None
    async with later.begin(SYSTEM) as tx:
        payload = {"kind": KIND.table, "month": "another"}
        await queue.enqueue(tx.connection, "policy.replace_month", [payload])
    await run_jobs(later)
    async with later.begin(SYSTEM) as tx:
        assert (await a_month(tx)).name == month


async def test_who_began_with_a_month_before_somebody_else_did_loses_nothing_of_it(
    database: Database, ids: Mapping[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED_AHEAD", 2)
    async with database.begin(SYSTEM) as tx:
        month = await a_month(tx)
        open_one = await tx.connection.fetchval("SELECT id FROM webhook_deliveries")
        await attempts(tx, month, 5, open_one)
        night = await operations.put_by(tx, KIND)
        assert night is not None
        begun: dict[str, Any] = {"month": month.name, "after": night.batch.last}
        begun["kept"] = night.kept
        by_hand = await operations.put_by(tx, KIND)  # `tonghu retention run`: all of it anew
        assert by_hand is not None
        assert await operations.put_by(tx, KIND, **begun) is None
        assert await operations.put_by(tx, KIND, **begun | {"kept": None}) is None
        assert await operations.replace_month(tx, KIND, month.name, night.kept) is None
        payload = {"kind": KIND.table, "month": month.name}  # of the release before
        await queue.enqueue(tx.connection, "policy.replace_month", [payload])
        await queue.enqueue(tx.connection, "policy.shrink_month", [{**payload, **begun}])
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert (await a_month(tx)).name == month.name
        while by_hand is not None and by_hand.batch.last is not None:
            begun |= {"after": by_hand.batch.last, "kept": by_hand.kept}
            by_hand = await operations.put_by(tx, KIND, **begun)
        assert await operations.replace_month(tx, KIND, month.name, begun["kept"])
        assert await numbers(tx, open_one) == [1, 2, 3, 4, 5]


async def test_the_audit_is_nobodys_to_drop_and_parts_are_nobodys_to_read(tx: Tx) -> None:
    audit = await months.oldest(tx.connection, "audit_entries")
    assert audit is not None
    refused = [
        f"SELECT begin_replacing_month('{audit.name}')",
        f"SELECT replace_month('{audit.name}')",
        "SELECT replace_month('children')",
        f"SELECT FROM {audit.name}",
        f"INSERT INTO {audit.name} SELECT * FROM audit_entries",
        f"DROP TABLE {audit.name}",
    ]
    for statement in refused:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tx.connection.transaction():
                await tx.connection.execute(statement)


async def test_there_is_no_default_partition_and_each_has_room(tx: Tx) -> None:
    for table in months.PARTITIONED:
        found = await tx.connection.fetch(
            "SELECT pg_get_expr(p.relpartbound, p.oid) AS says, c.relkind FROM pg_class c"
            " JOIN pg_inherits i ON i.inhparent = c.oid JOIN pg_class p ON p.oid = i.inhrelid"
            " WHERE c.oid = $1::text::regclass",
            table,
        )
        assert {row["relkind"] for row in found} == {b"p"}
        assert not any(row["says"] == "DEFAULT" for row in found)
        assert all(months.is_part(name) for name in await parts(tx, table))
    now = utc_now()
    assert await months.ahead(tx.connection, now) == months.AHEAD
    assert await months.ahead(tx.connection, now + timedelta(days=300)) == -1
    assert await months.make(tx.connection) == 0
    assert not months.is_part("children_2026_12")


async def test_months_that_are_missing_are_made(
    live_database: Database, database_urls: schema.Urls
) -> None:
    owner = await asyncpg.connect(database_urls.owner)
    named = PARTS.replace("$1", "$1::text")
    last = f"SELECT max(name) FROM ({named}) AS part WHERE name NOT LIKE '%until%'"
    name = await owner.fetchval(last, "audit_children")
    await owner.execute("DROP TABLE " + name)
    await owner.close()
    async with live_database.begin(SYSTEM) as tx:
        missing = await months.ahead(tx.connection, utc_now())
        await make_months(tx, {})
        assert name in await parts(tx, "audit_children")
        assert await months.ahead(tx.connection, utc_now()) == missing + 1  # of that table


async def test_after_a_sleep_the_month_before_is_there_too(
    database: Database, database_urls: schema.Urls
) -> None:
    """What was begun in its last minutes is written in the next month."""
    began = utc_now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    connection = await asyncpg.connect(database_urls.owner)
    sleep = connection.transaction()
    await sleep.start()
    await connection.execute("CREATE TABLE slept (id uuid PRIMARY KEY) PARTITION BY RANGE (id)")
    await connection.execute(
        "CREATE TABLE slept_until PARTITION OF slept FOR VALUES FROM (MINVALUE)"
        f" TO ('{months.first_id(began - timedelta(days=120))}')"
    )
    assert await months.make(connection) == months.AHEAD + 2
    late = months.first_id(began - timedelta(minutes=1))
    await connection.execute("INSERT INTO slept VALUES ($1), ($2)", late, new_id())
    assert await months.make(connection) == 0
    await sleep.rollback()
    await connection.close()


async def test_no_month_goes_of_what_nobody_may_delete(database) -> None:
    """The functions are the owner's; whoever calls them lets go of no more than is theirs to."""
    kept = [each for each in months.PARTITIONED if "DELETE" not in rls.TABLES[each].privileges]
    assert "audit_entries" in kept
    for table in kept:
        async with database.begin(SYSTEM) as tx:
            month = await months.oldest(tx.connection, table)
            for step in (months.begin_replacing, months.replace):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="not yours"):
                    async with tx.connection.transaction():
                        await step(tx.connection, month)
