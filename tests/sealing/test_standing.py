"""How the sealing stands is told also where somebody who may do anything would rather not."""

from datetime import timedelta

import pytest

from app.core.data import db
from app.sealing import standing
from app.sealing.events import Trouble
from app.sealing.standing import Standing
from tests.conftest import NOW
from tests.sealing.stage import Log, looks

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
