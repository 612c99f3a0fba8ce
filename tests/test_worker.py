"""What the worker's connections are."""

import asyncio
import resource
from types import SimpleNamespace

import pytest

from app import worker
from app.core.settings import Settings


class Seen(Exception):
    """Enough was seen."""


@pytest.fixture
def told(settings: Settings, keyring, tmp_path) -> Settings:
    """Of a worker that has the key file of its database: another's would be what the next test
    finds there.
    """
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    path.chmod(0o600)
    return settings.model_copy(update={"keys_file": path})


async def test_it_plans_each_statement_for_what_is_there_now(told, monkeypatch) -> None:
    """A plan kept from when nothing waited looks, for each that waits, at all that do (ADR 52)."""
    found = []

    async def look(connect, *, begin, **_) -> None:
        connection = await connect()
        found.append(await connection.fetchval("SHOW plan_cache_mode"))
        await connection.close()
        async with begin() as tx:
            found.append(await tx.connection.fetchval("SHOW plan_cache_mode"))
        raise Seen

    monkeypatch.setattr(worker.runner, "run", look)
    with pytest.raises(BaseExceptionGroup) as ended:
        await worker.run(told)
    assert ended.group_contains(Seen)
    left = [str(task.get_coro()) for task in asyncio.all_tasks() if not task.cancelling()]
    assert not [each for each in left if "follow" in each or "end_with" in each]
    assert found == ["force_custom_plan"] * 2


async def test_it_may_open_as_many_files_as_the_machine_lets_it(told, monkeypatch) -> None:
    """Those that are not ours would be taken for an endpoint's failures."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def look(*_, **__) -> None:
        raise Seen

    monkeypatch.setattr(worker.runner, "run", look)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, most), most))
    try:
        with pytest.raises(BaseExceptionGroup):
            await worker.run(told)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


async def test_with_wrong_keys_nothing_goes_on_until_they_are_right() -> None:
    database = SimpleNamespace(wrong_keys=None)
    keys, stop = worker._Keys(database), asyncio.Event()
    assert await keys.are_right(stop)
    database.wrong_keys = ("data key ab12 is missing", {})
    keys.changed()
    assert keys.pause.is_set()
    waiting = asyncio.ensure_future(keys.are_right(stop))
    await asyncio.sleep(0)
    assert not waiting.done()
    database.wrong_keys = None
    keys.changed()
    assert await waiting
    assert not keys.pause.is_set()
