"""How the sealing stands is told also where somebody who may do anything would rather not."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
import structlog

from app.core.clock import utc_now
from app.core.data import db
from app.sealing import jobs, passed_over, standing, verifying
from app.sealing.events import Trouble
from app.sealing.standing import Standing
from tests.conftest import NOW
from tests.sealing.stage import Log, look, looks

pytestmark = pytest.mark.xdist_group("sealing")


async def _standing(database: db.Database) -> Standing:
    async with database.begin(db.SYSTEM) as tx:
        return await standing.standing(tx.connection)


def _troubles(found: Standing) -> set[Trouble]:
    return {*found.troubles(NOW + timedelta(hours=1))} - {Trouble.too_few_witnesses}


_TAKE_AWAY = """
DELETE FROM audit_entries WHERE id IN (SELECT entry_id FROM audit_leaves WHERE n >= $1)
"""


async def test_who_stops_the_sealer_and_takes_away_what_it_sealed_last_is_heard_of(
    log: Log, live_database, superuser
) -> None:
    await looks(live_database, 3)
    await log.seal()
    await looks(live_database, 2)
    for n in (2, 1, 0):
        await superuser.execute(_TAKE_AWAY, n)
        found = await _standing(live_database)
        assert (found.sealed, found.waits_since) == (3, NOW)
        assert _troubles(found) == {Trouble.sealing_late}


async def test_what_is_sealed_and_not_signed_is_told_when_its_entries_are_gone(
    log: Log, live_database, superuser
) -> None:
    await looks(live_database, 3)
    await log.seal()
    await looks(live_database, 2)
    await log.seal(later=False)
    for n in (5, 4, 3):
        await superuser.execute(_TAKE_AWAY, n)
        found = await _standing(live_database)
        assert (found.signed, found.sealed) == (3, 5)
        assert _troubles(found) == {Trouble.signing_late}


async def test_nothing_signed_at_all_is_late_too(log: Log, live_database, superuser) -> None:
    await looks(live_database, 3)
    await log.seal()
    await superuser.execute("DELETE FROM audit_checkpoints")
    found = await _standing(live_database)
    assert (found.signed, found.signed_at, found.unsigned_since) == (0, None, NOW)
    assert _troubles(found) == {Trouble.signing_late}


_HIDE = """
UPDATE audit_entries e SET committed_in = 1
WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry_id = e.id)
"""


async def _night(database: db.Database) -> list[str]:
    """Look through the last two days; return the entries that were said to be passed over."""
    with structlog.testing.capture_logs() as said:
        async with database.begin(db.SYSTEM) as tx:
            after = UUID(int=0)
            while after := await jobs.look_through(tx, after):
                pass
    return [line["entry_id"] for line in said if line["event"] == "audit.entry_passed_over"]


async def _verified(url: str) -> str:
    connection = await asyncpg.connect(url)
    found = await verifying.look(connection)
    await connection.close()
    return found.found


async def test_an_entry_that_is_hidden_from_the_sealer_is_heard_of(
    log: Log, live_database, superuser, database_urls, monkeypatch
) -> None:
    """Among the newest at once; in the night of all of two days; by who verifies of all."""
    monkeypatch.setattr(passed_over, "_UPTO", passed_over._UPTO.replace("20000", "4"))
    later = utc_now()
    monkeypatch.setattr(live_database, "clock", lambda: later)
    await looks(live_database, 3)
    await log.seal()
    await looks(live_database, 1)
    await superuser.execute(_HIDE)
    [hidden] = await superuser.fetch("SELECT id FROM audit_entries WHERE committed_in = 1")
    await looks(live_database, 10)
    assert len((await log.seal()).ats) == 10
    assert (await _standing(live_database)).waits_since == later
    assert await _night(live_database) == [str(hidden["id"])]
    assert f"the entry {hidden['id']} was passed over" in await _verified(database_urls.backup)
    monkeypatch.setattr(passed_over, "_LATELY", passed_over._LATELY.replace("LIMIT 300", "LIMIT 9"))
    assert (await _standing(live_database)).waits_since is None
    later += timedelta(days=3)
    assert await _night(live_database) == []
    await superuser.execute("DELETE FROM audit_entries WHERE committed_in = 1")
    assert "14 entries" not in await _verified(database_urls.backup)


async def test_what_is_under_way_while_the_log_is_signed_is_not_called_hidden(
    log: Log, live_database, superuser, database_urls
) -> None:
    async with live_database.begin(db.SYSTEM) as tx:
        await look(tx)
        await looks(live_database, 3)
        await log.seal()
        await looks(live_database, 1)
        await log.seal()
    assert (await _standing(live_database)).waits_since is None, "it is sealed next"
    await superuser.execute("UPDATE audit_checkpoints SET cluster = 'another'")
    await superuser.execute(_HIDE)
    assert (await _standing(live_database)).waits_since is None, "numbers of another say nothing"
