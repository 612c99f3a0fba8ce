"""A process with another key file than the database's takes in reports, and nothing else (DB-6)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.core.clock import utc_now
from app.core.data import crypto, db
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from app.core.data.key_file import KeyFile
from app.core.jobs import queue
from app.police_reports.operations import spooling
from tests.faults.town import free_ports
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report, rows, the_offices
from tests.waiting import PATIENCE, until

URL = "/v1/police-reports"


@pytest.fixture
def right(keyring: Keyring) -> Keyring:
    """The keys in use: under a second data key things are sealed since, under the first were."""
    return replace(keyring, data={"newd": os.urandom(32), **keyring.data})


@pytest.fixture
async def there(live_database, database_urls, settings, right) -> AsyncIterator[db.Database]:
    """The database as processes with the right keys use it, by the clock of processes."""
    engine = db.open_engine(database_urls.app, settings.database)
    database = db.Database(engine, right, utc_now)
    await KeyFile(right).look(database)
    assert database.wrong_keys is None
    yield database
    await database.close()


def _another(ring: Keyring) -> Keyring:
    """Another installation's file, as new as ours."""
    return Keyring.generate()


def _old(ring: Keyring) -> Keyring:
    """Of before the newest key."""
    return replace(ring, data=dict([*ring.data.items()][1:]))


def _half(ring: Keyring) -> Keyring:
    """One that let go of what is still in use."""
    return replace(ring, data=dict([*ring.data.items()][:1]))


def _same_ids(ring: Keyring) -> Keyring:
    return replace(ring, data={kid: os.urandom(32) for kid in ring.data})


def _other_index(ring: Keyring) -> Keyring:
    return replace(ring, index={kid: os.urandom(32) for kid in ring.index})


@contextmanager
def running(database_url: str, keys: Path, log: Path, *command: str) -> Iterator[None]:
    """Run `tonghu` as a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "TONGHU_"}
    told = {
        "TONGHU_DATABASE__URL": database_url,
        "TONGHU_KEYS_FILE": str(keys),
        "TONGHU_DRAIN_SECONDS": "0",
        "TONGHU_TOKENS__ISSUER": "http://127.0.0.1:8000",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *command],
            env={**inherited, **told},
            stdout=out,
            stderr=out,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def _lines(log: Path, event: str) -> list[dict[str, str]]:
    said = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    return [each for each in said if each["event"] == event]


async def _answers(client: httpx.AsyncClient, path: str, status: int) -> bool:
    try:
        return (await client.get(path)).status_code == status
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("spoilt", "faults"),
    [
        (_another, lambda r: {f"{k} key {i} is missing" for k, i in _kids(r)}),
        (_old, lambda _: {"data key newd is missing"}),
        (_half, lambda r: {f"data key {[*r.data][1]} is missing"}),
        (_same_ids, lambda r: {f"data key {i} {_OTHER}" for i in r.data}),
        (_other_index, lambda r: {f"index key {next(iter(r.index))} {_OTHER}"}),
    ],
)
async def test_with_another_file_reports_are_taken_in_and_filed_once(
    there, database_urls, settings, right, tmp_path, spoilt, faults: Callable[[Keyring], set[str]]
) -> None:
    offices = await the_offices(there, settings)
    keys, log = tmp_path / "keys.json", tmp_path / "log"
    keys.write_text(spoilt(right).to_json())
    [port] = free_ports(1)
    under_key = {**offices.school.headers, "idempotency-key": "the-same"}
    body, named = a_report(), a_report(id=str(uuid4()))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:

        async def sent(report, headers) -> tuple[int, dict[str, str]]:
            answer = await client.post(URL, json=report, headers=headers)
            return answer.status_code, answer.json()

        with running(database_urls.app, keys, log, "serve", "--port", str(port)):
            await until(lambda: _answers(client, "/livez", 200))
            assert await _answers(client, "/readyz", 503)
            for path in ("/v1/children", "/v1/me", "/.well-known/jwks.json"):
                refused = await client.get(path, headers=offices.county.headers)
                assert refused.status_code == 503
                assert refused.json()["type"] == "/problems/keys-wrong"
                assert "newd" not in refused.text
            assert "tonghu_keys_wrong 1.0" in (await client.get("/metrics")).text
            first = [await sent(body, under_key) for _ in range(2)]
            by_id = [await sent(named, offices.school.headers) for _ in range(2)]
            assert first[0][0] == 202, first
            assert first[0] == first[1]
            assert by_id[0] == by_id[1]
            assert (by_id[0][0], by_id[0][1]["report_id"]) == (202, named["id"])
            [line] = _lines(log, "keys.wrong")
            assert line["level"] == "error"
            assert {*line["which"].split("; ")} == faults(right)
            assert "tonghu keys check" in line["do"]
            assert len(await rows(there, "spooled_reports")) == 2

            keys.write_text(right.to_json())
            await until(lambda: _answers(client, "/readyz", 200))
            assert _lines(log, "keys.right")
            assert await sent(body, under_key) == first[0], "the receipt that was told"
            code, filed = await sent(named, offices.school.headers)
            assert (code, filed["id"]) == (201, named["id"])
        assert "Traceback" not in log.read_text()
    await _work_off(there)
    assert {str(row["id"]) for row in await rows(there, "police_reports")} == {
        first[0][1]["report_id"],
        named["id"],
    }
    assert not await rows(there, "spooled_reports")


_OTHER = "is another: this file has another under that id"


def _kids(ring: Keyring) -> list[tuple[str, str]]:
    used = {"data": ring.data, "index": ring.index, "signing": ring.signing}
    return [(kind, kid) for kind, keys in used.items() for kid in keys]


async def _work_off(database: db.Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
    await run_jobs(database)


async def test_a_worker_waits_until_it_has_the_keys(there, database_urls, right, tmp_path) -> None:
    keys, log = tmp_path / "keys.json", tmp_path / "log"
    keys.write_text(_old(right).to_json())
    async with there.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, spooling.FILE_SPOOLED, [{}])
    waiting = "SELECT count(*) FROM jobs WHERE name = $1"

    async def left() -> int:
        async with there.begin(SYSTEM) as tx:
            return int(await tx.connection.fetchval(waiting, spooling.FILE_SPOOLED))

    with running(database_urls.app, keys, log, "worker"):
        await until(lambda: "keys.wrong" in log.read_text())
        assert await left() == 1
        keys.write_text(right.to_json())
        await until(lambda: _is_none(left))
        keys.write_text(_old(right).to_json())  # what it has is right: it goes on, and says so
        await until(lambda: "keys.not_taken" in log.read_text())
        async with there.begin(SYSTEM) as tx:
            await queue.enqueue(tx.connection, spooling.FILE_SPOOLED, [{}])
        await until(lambda: _is_none(left))
    said = log.read_text()
    assert said.count("keys.wrong") == said.count("keys.not_taken") == 1
    assert "worker.stopped" in said
    assert "Traceback" not in said


async def _is_none(left) -> bool:
    return not await left()


def test_the_check_of_a_key_is_not_the_key(right: Keyring) -> None:
    key = next(iter(right.index.values()))
    assert crypto.check(key) != key
