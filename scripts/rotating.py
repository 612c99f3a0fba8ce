"""Every key of the key file is changed under load: no request may fail, nothing may be lost.

    python -m scripts.rotating [REQUESTS_A_SECOND [SECONDS]]

Two processes of `tonghu serve` and a worker, callers who read, search, write and report all the
while, and the commands of docs/changing-keys.md and docs/keys.md, one after another; `SECONDS`: how
long requests go on between them. Ten minutes and thirty days, for which a key has to stand, pass in
the database: what it noted is moved back by so long.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import httpx

from app import wiring
from app.core import logs
from app.core.data import migrations
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts.drill import name_of
from scripts.under_load import PATIENCE, Load
from tests.waiting import until

TAKEN_AFTER = 5.0
"""Each process has looked at the file by then, which it does every two seconds."""
HOME = migrations.HOME
GoOn = Callable[[], Awaitable[None]]
_PASSED = """
UPDATE key_checks SET since = since - $1::interval, used_since = used_since - $1::interval
"""
_BEGUN = """
UPDATE job_schedules SET next_at = now() WHERE name IN ('children.reindex', 'unresolved.reindex')
"""
_ANSWERS = "DELETE FROM idempotency_keys WHERE substr(answer, 2, 4) = $1"
_NOT_YET = "SELECT count(*) FROM reindexed WHERE NOT whole"
_FOUND_ANEW = "SELECT coalesce(sum(files), 0) FROM reindexed WHERE kid = $1"


async def run(work: Path, rate: float, seconds: float, say: Callable[[str], None]) -> Load:
    """Change all keys once."""
    wiring.load()
    with await asyncio.to_thread(postgres.acquire, work / "server") as lease:
        load = Load(work, lease.server, rate, say)
        load.keys.write_text(Keyring.generate().to_json())
        load.keys.chmod(0o600)
        await asyncio.to_thread(migrations.upgrade, load.it.owner_url)
        await load.known(20)
        connection = await asyncpg.connect(load.it.superuser_url, database="tonghu")
        before = Keyring.from_json(load.keys.read_text())
        try:
            for name in ("one", "two"):
                await load.started(name, HOME)
            await load.started("worker", HOME, "worker")
            load.begin()
            say(f"two processes and a worker, {rate:g} requests a second")
            go_on = partial(_go_on, load, seconds)
            await go_on()
            await _data_key(load, connection, go_on)
            await _index_key(load, connection, go_on)
            await _signing_key(load, connection, go_on)
            await _all_are_read(load)
            await _nothing_of_before(load, before)
        finally:
            await connection.close()
            await load.end()
    return load


async def _go_on(load: Load, seconds: float) -> None:
    await asyncio.sleep(max(seconds, TAKEN_AFTER))
    await load.go_on()


async def _data_key(load: Load, connection: asyncpg.Connection, go_on: GoOn) -> None:
    [old] = Keyring.from_json(load.keys.read_text()).data
    await _said(load, "rotate-data", str(load.keys))
    await go_on()
    await _said(load, "re-encrypt")
    await connection.execute(_ANSWERS, old.encode())
    load.say("thirty days pass: answers kept under the data key of before have gone")
    await _said(load, "drop", str(load.keys), old)
    await go_on()


async def _index_key(load: Load, connection: asyncpg.Connection, go_on: GoOn) -> None:
    [old] = Keyring.from_json(load.keys.read_text()).index
    for _ in range(2):
        await _said(load, "rotate-index", str(load.keys))
        await go_on()
        await connection.execute(_PASSED, timedelta(minutes=11))
        load.say("ten minutes pass")
    new = next(iter(Keyring.from_json(load.keys.read_text()).index))

    async def is_whole() -> bool:
        await connection.execute(_BEGUN)
        written = await connection.fetchval(_FOUND_ANEW, new)
        return bool(written) and not await connection.fetchval(_NOT_YET)

    await until(is_whole, PATIENCE)
    files = await connection.fetchval(_FOUND_ANEW, new)
    load.say(f"the worker has written {files:,} files anew by index key {new}")
    await go_on()
    await connection.execute(_PASSED, timedelta(days=31))
    load.say("thirty days pass")
    await _said(load, "drop-index", str(load.keys), old)
    await go_on()


async def _signing_key(load: Load, connection: asyncpg.Connection, go_on: GoOn) -> None:
    for _ in range(2):  # the second time the key of before verifies no more
        await connection.execute(_PASSED, timedelta(minutes=11))
        await _said(load, "rotate", str(load.keys))
        await load.renew()
        await go_on()


async def _said(load: Load, command: str, *arguments: str) -> None:
    said = await load.tonghu(HOME, "keys", command, *arguments)
    lines = [line for line in said.splitlines() if line.strip() and " so far" not in line]
    load.say(f"`tonghu keys {command}`: {lines[-1].strip() if lines else 'nothing to do'}")


async def _all_are_read(load: Load) -> None:
    """Read each file and each report that was written at any time, under the keys of now."""
    [process, *_] = [each for each in load.processes if not each.is_worker]
    await load.renew()
    for child, number in [*load.written.items()]:
        answer = await load.get(process, f"/v1/children/{child}")
        if answer.status_code != httpx.codes.OK:
            load.failed[f"file read at the end {answer.status_code}"] += 1
        elif answer.json()["identity"]["name"] != name_of(number):
            load.failed["file read at the end without its name"] += 1
    load.say(f"{len(load.written):,} files are read under the new keys")


async def _nothing_of_before(load: Load, before: Keyring) -> None:
    now = Keyring.from_json(load.keys.read_text())
    for kind in ("data", "index", "signing"):
        assert not getattr(before, kind).keys() & getattr(now, kind).keys(), kind
    load.say("no data key, index key or signing key of before is in the file")


def main() -> None:
    rate = float(sys.argv[1]) if sys.argv[1:] else 20.0
    seconds = float(sys.argv[2]) if sys.argv[2:] else TAKEN_AFTER
    logs.configure(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tonghu-rotating-") as place:
        load = asyncio.run(run(Path(place), rate, seconds, partial(print, flush=True)))
    sys.exit(1 if load.failed else 0)


if __name__ == "__main__":
    main()
