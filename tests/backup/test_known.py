"""That there is a backup, or none, the service knows itself: figures that alerts go by."""

import asyncio

import pytest

from app.backup import receiving
from app.core import metrics
from app.core.data import db
from app.core.settings import Database
from scripts import drill
from tests.backup.small import Small
from tests.conftest import NOW
from tests.operate.told import samples
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("backup")


async def _figures(small: Small) -> dict[str, dict[str, float]]:
    engine = db.open_engine(small.server.app_url, Database())
    database = db.Database(engine, small.keyring, lambda: NOW)
    try:
        return samples((await metrics.render(database)).decode())
    finally:
        await database.close()


def test_the_service_knows_when_a_backup_was_made_and_that_there_is_none(small, folder) -> None:
    small.ask("DELETE FROM backups_made;")
    made = "tonghu_backup_made_seconds"
    assert asyncio.run(_figures(small))[made] == {'kind="archive"': 0, 'kind="base"': 0}
    small.base(folder)
    at = NOW.timestamp()
    assert asyncio.run(_figures(small))[made] == {'kind="archive"': 0, 'kind="base"': at}
    small.archive(folder)
    assert asyncio.run(_figures(small))[made] == {'kind="archive"': at, 'kind="base"': at}


def test_a_backup_that_cannot_be_told_of_is_made_all_the_same(small, folder) -> None:
    small.ask("REVOKE INSERT ON backups_made FROM tonghu_backup;")
    try:
        taken = small.base(folder)
    finally:
        small.ask("GRANT INSERT ON backups_made TO tonghu_backup;")
    assert taken.place.exists()
    assert "The service does not know of it" in small.said[-1]


async def test_who_keeps_what_is_written_is_seen_and_that_nobody_does(small, folder) -> None:
    url = small.server.superuser_url
    assert (await _figures(small))["tonghu_wal_kept"] == {"": 0}, "nobody ever did"
    keeping = asyncio.create_task(receiving.keep(small.server.backup_url, folder))
    await until(lambda: drill._is_kept(url))
    told = await _figures(small)
    assert told["tonghu_wal_kept"] == {"": 1}

    async def caught_up() -> bool:
        return (await _figures(small))["tonghu_wal_behind_bytes"][""] < 2**24

    await until(caught_up)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    async def released() -> bool:
        return (await _figures(small))["tonghu_wal_kept"] == {"": 0}

    await until(released)
    behind = (await _figures(small))["tonghu_wal_behind_bytes"][""]
    await drill._ask(url, "SELECT pg_switch_wal()")
    await drill._ask(url, "CHECKPOINT")
    assert (await _figures(small))["tonghu_wal_behind_bytes"][""] > behind
    await drill._ask(url, "SELECT pg_drop_replication_slot('tonghu_wal')")
