"""What others write of a file while it is erased is erased with it, or not written."""

import asyncio
from types import SimpleNamespace

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.rights.operations import erasing
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.waiting import until

_TOKEN = """
INSERT INTO child_names
SELECT r.* FROM (SELECT * FROM child_names WHERE child_id = $1 LIMIT 1) AS n,
    jsonb_populate_record(NULL::child_names, to_jsonb(n) || '{"token": 7}') AS r RETURNING token
"""
_WAITS = """
SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid
"""


async def test_a_name_that_is_being_changed_is_not_left_behind(live_database, monkeypatch) -> None:
    child = await a_child(live_database, VILLAGE)
    row = {"id": new_id(), "home_county": child.home_county, "child_id": child.id, "version": 1}
    monkeypatch.setitem(erasing.ACTS, "eraseChildData", SimpleNamespace(require=lambda *_: None))

    async def erase() -> None:
        async with live_database.begin(SYSTEM) as tx:
            by = SimpleNamespace(subject="staff:test")
            await erasing.erase_child_data(tx, by, row, if_match=1)

    async with live_database.begin(SYSTEM) as tx:
        held = "SELECT FROM children WHERE id = $1 FOR NO KEY UPDATE"
        await tx.connection.execute(held, child.id)
        assert await tx.connection.fetchval(_TOKEN, child.id) == 7
        erased = asyncio.create_task(erase())
        await until(lambda: tx.connection.fetchval(_WAITS))
    await erased
    async with live_database.begin(SYSTEM) as tx:
        assert await tx.connection.fetch("SELECT token FROM child_names") == []
        assert await tx.connection.fetchval("SELECT wrapped FROM child_keys") == b""
