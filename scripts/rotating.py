"""Every key of the service is changed under load: no request may fail, nothing may be lost.

    python -m scripts.rotating [REQUESTS_A_SECOND [SECONDS]]

Two processes of `tonghu serve`, a worker and a sealer, callers who read, search, write and report
all the while, and the commands of docs/changing-keys.md and docs/keys.md, one after another;
`SECONDS`: how long requests go on between them. Ten minutes and thirty days, for which a key has to
stand, pass in the database: what it noted is moved back by so long.
"""

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
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
from scripts.drill import VILLAGE, name_of
from scripts.under_load import PATIENCE, Load, Process
from tests.access.approving import send_by_two
from tests.police_reports.factories import a_report
from tests.time_of_keys import passed
from tests.waiting import until

GOES_ON = 5.0
SPOOLED_EVERY = 0.5
HOME = migrations.HOME
GoOn = Callable[[], Awaitable[None]]
_BEGUN = """
UPDATE job_schedules SET next_at = now() WHERE name IN ('children.reindex', 'unresolved.reindex')
"""
_ANSWERS = "DELETE FROM idempotency_keys WHERE substr(answer, 2, 4) = $1"
_SEALED_TO = "SELECT count(*) FROM spooled_reports WHERE substr(sealed, 1, 5) = $1"
_SIGNED_BY = "SELECT EXISTS (SELECT FROM audit_checkpoints WHERE log_key LIKE $1)"
_NOTE = "SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
_NOT_YET = "SELECT count(*) FROM reindexed WHERE NOT whole"
_FOUND_ANEW = "SELECT coalesce(sum(files), 0) FROM reindexed WHERE kid = $1"


async def run(work: Path, rate: float, seconds: float, say: Callable[[str], None]) -> Load:
    """Change all keys once, on a server of its own."""
    with await asyncio.to_thread(postgres.acquire, work / "server") as lease:
        await asyncio.to_thread(migrations.upgrade, lease.server.owner_url)
        return await changed(Load(work, lease.server, rate, say), seconds)


async def changed(load: Load, seconds: float, *, whole: bool = True) -> Load:
    """Change all keys once. Not the `whole`: those of the key file, nothing in the spool."""
    wiring.load()
    load.keys.write_text(Keyring.generate().to_json())
    load.keys.chmod(0o600)
    await load.known(20)
    connection = await load.as_superuser()
    before = Keyring.from_json(load.keys.read_text())
    sealer: subprocess.Popen[bytes] | None = None
    try:
        await asyncio.gather(
            *(load.started(name, HOME) for name in ("one", "two")),
            load.started("worker", HOME, "worker"),
        )
        if whole:
            sealer = await _sealer(load, connection, "sealer-1")
        load.begin()
        load.say(f"two processes and a worker, {load.rate:g} requests a second")
        go_on = partial(_go_on, load, seconds)
        await go_on()
        await _data_key(load, connection, go_on)
        await _index_key(load, connection, go_on)
        await _signing_key(load, connection, go_on)
        await _spool_key(load, connection, go_on, reported=whole)
        if sealer is not None:
            sealer = await _log_key(load, connection, sealer)
            await go_on()
        await _all_are_read(load)
        await _nothing_of_before(load, before)
    finally:
        await load.end()
        if sealer is not None:
            sealer.kill()
            sealer.wait()
        await connection.close()
    return load


async def _go_on(load: Load, seconds: float) -> None:
    await load.taken()
    await asyncio.sleep(seconds)
    await load.go_on()


async def _data_key(load: Load, connection: asyncpg.Connection, go_on: GoOn) -> None:
    [old] = Keyring.from_json(load.keys.read_text()).data
    await passed(connection, timedelta(minutes=11))
    load.say("ten minutes pass")
    await _said(load, "rotate-data", str(load.keys))
    await go_on()
    await passed(connection, timedelta(hours=1))
    load.say("an hour passes")
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
        await passed(connection, timedelta(minutes=11))
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
    await passed(connection, timedelta(days=31))
    load.say("thirty days pass")
    await _said(load, "drop-index", str(load.keys), old)
    await go_on()


async def _signing_key(load: Load, connection: asyncpg.Connection, go_on: GoOn) -> None:
    for _ in range(2):  # the second time the key of before verifies no more
        await passed(connection, timedelta(minutes=11))
        await _said(load, "rotate", str(load.keys))
        await load.renew()
        await go_on()


async def _spool_key(
    load: Load, connection: asyncpg.Connection, go_on: GoOn, *, reported: bool
) -> None:
    """Change it. `reported`: meanwhile a third process, of other keys, puts into the spool what it
    is told.
    """
    [old] = Keyring.from_json(load.keys.read_text()).spool
    spooled: list[str] = []
    async with _spooling(load, spooled) if reported else nullcontext():
        for _ in range(2):
            await _said(load, "rotate-spool", str(load.keys))
            await go_on()
            await passed(connection, timedelta(minutes=11))
            load.say("ten minutes pass")
        if reported:  # in an hour who has other keys has long looked which is the newest
            new = next(iter(Keyring.from_json(load.keys.read_text()).spool))
            sealed_to = b"\x02" + new.encode()
            await until(lambda: connection.fetchval(_SEALED_TO, sealed_to), PATIENCE)
        await passed(connection, timedelta(hours=1))
        load.say("an hour passes")
        await until(lambda: _none(connection, _SEALED_TO, b"\x02" + old.encode()), PATIENCE)
        await _said(load, "drop-spool", str(load.keys), old)
        await go_on()
    await until(lambda: _none(connection, "SELECT count(*) FROM spooled_reports"), PATIENCE)
    load.filed += spooled
    load.say(f"{len(spooled):,} reports waited in the spool meanwhile, and each was filed")


@asynccontextmanager
async def _spooling(load: Load, spooled: list[str]) -> AsyncIterator[None]:
    other, over = load.work / "other.json", asyncio.Event()
    other.write_text(Keyring.generate().to_json())
    intake = await load.started("of other keys", HOME, keys=other)
    task = asyncio.create_task(_spool(load, intake, spooled, over))
    await until(lambda: spooled or task.done(), PATIENCE)
    try:
        yield
        seen = len(spooled)  # by the last key, too
        await until(lambda: len(spooled) > seen + 2 or task.done(), PATIENCE)
    finally:
        over.set()
        await task
    await load.stopped(intake)


async def _spool(load: Load, intake: Process, spooled: list[str], over: asyncio.Event) -> None:
    while not over.is_set():
        assert load.director
        body = a_report(region_code=str(VILLAGE), narrative=f"合成 {len(spooled)} 待登记")
        answer = await intake.client.post(
            "/v1/police-reports", json=body, headers=load.director.headers, timeout=30
        )
        if answer.status_code == httpx.codes.ACCEPTED:
            spooled.append(answer.json()["report_id"])
        else:
            load.failed[f"report to be kept {answer.status_code}"] += 1
        await asyncio.sleep(SPOOLED_EVERY)


async def _none(connection: asyncpg.Connection, count: str, *values: object) -> bool:
    return not await connection.fetchval(count, *values)


async def _sealer(load: Load, connection: asyncpg.Connection, name: str) -> subprocess.Popen[bytes]:
    """Start a sealer with the key of a name, and wait for what it signs."""
    said = {
        "TONGHU_ENVIRONMENT": "sandbox",
        "TONGHU_DATABASE__SEALER_URL": load.it.sealer_url,
        "TONGHU_AUDIT_KEY_FILE": str(load.work / f"{name}.key"),
    }
    if not (load.work / f"{name}.key").exists():
        await _new_log(load, name)
    kept = {each: text for each, text in os.environ.items() if not each.startswith("TONGHU_")}
    with (load.work / f"{name}.log").open("wb") as log:
        running = subprocess.Popen(  # noqa: ASYNC220  waited for by what it signs
            [sys.executable, "-m", "app.cli", "sealer"],
            cwd=HOME,
            env={**kept, **said},
            stdout=log,
            stderr=log,
        )
    await until(lambda: connection.fetchval(_SIGNED_BY, f"{name}.example+%"), PATIENCE)
    load.say(f"{name} seals and signs")
    return running


async def _new_log(load: Load, name: str) -> str:
    """Make a key of the log; return the one by which what it signs is verified."""
    path = str(load.work / f"{name}.key")
    said = await load.tonghu(HOME, "audit", "keygen", path, "--name", f"{name}.example")
    return said.strip().splitlines()[-1]


async def _log_key(
    load: Load, connection: asyncpg.Connection, running: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    """Two operators begin another log over the same entries; the sealer of before ends by itself,
    and what is recorded until the next one runs waits.
    """
    [process, *_] = [each for each in load.processes if not each.is_apart]
    await load.renew()
    said = {"key": await _new_log(load, "sealer-2")}
    begun = await send_by_two(
        process.client, *load.operators, "startLog", "POST", "/v1/audit/logs", said
    )
    assert begun.status_code == httpx.codes.OK, begun.text
    load.say(f"`startLog`, by two: after {begun.json()['old_size']:,} entries")
    await until(lambda: running.poll() is not None, PATIENCE)
    load.say("the sealer of before has ended")
    sealer = await _sealer(load, connection, "sealer-2")
    note = await connection.fetchval(_NOTE)
    assert f"continues sealer-1.example {begun.json()['old_size']} " in note, note
    return sealer


async def _said(load: Load, command: str, *arguments: str) -> None:
    said = await load.tonghu(HOME, "keys", command, *arguments)
    lines = [line for line in said.splitlines() if line.strip() and " so far" not in line]
    load.say(f"`tonghu keys {command}`: {lines[-1].strip() if lines else 'nothing to do'}")


async def _all_are_read(load: Load) -> None:
    """Read each file and each report that was written at any time, under the keys of now."""
    [process, *_] = [each for each in load.processes if not each.is_apart]
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
    for kind in ("data", "index", "signing", "spool"):
        assert not getattr(before, kind).keys() & getattr(now, kind).keys(), kind
    load.say("no key of before is in the file")


def main() -> None:
    rate = float(sys.argv[1]) if sys.argv[1:] else 20.0
    seconds = float(sys.argv[2]) if sys.argv[2:] else GOES_ON
    logs.configure(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tonghu-rotating-") as place:
        load = asyncio.run(run(Path(place), rate, seconds, partial(print, flush=True)))
    sys.exit(1 if load.failed else 0)


if __name__ == "__main__":
    main()
