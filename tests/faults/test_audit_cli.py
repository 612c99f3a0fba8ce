"""The commands about the sealed audit, each in its process: key, sealer, export, yearly report."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from app import sealer
from app.cli import audit
from app.core.ids import new_id
from app.core.settings import SealerSettings
from app.core.startup import OpenKeyFile
from app.embedded import postgres
from app.sealer import NoAuditKey
from app.sealing.notes import Signer
from tests import schema
from tests.faults.command import Tonghu
from tests.waiting import until

LOOK = """INSERT INTO audit_entries (id, at, actor, role, operation, decision, request_id)
    VALUES ({}, now(), 'test', '-', 'readChild', 'allowed', '-')"""


@pytest.fixture(scope="module")
def urls(pg: str) -> Iterator[schema.Urls]:
    name = f"tonghu_audit_cli_{os.getpid()}"
    postgres.bootstrap(pg, name, *(schema.PASSWORD,) * 4)
    yield schema.urls_of(pg, name)
    asyncio.run(schema.drop(pg, name))


def _sealed(urls: schema.Urls, tmp_path: Path, many: int) -> None:
    """Let the sealer run until it has signed so many entries, then tell it to stop."""
    settings = SealerSettings(
        environment="test", data_dir=tmp_path, database={"sealer_url": urls.sealer}
    )

    async def run() -> None:
        connection = await asyncpg.connect(urls.sealer)
        sealing = asyncio.ensure_future(sealer.run(settings))
        signed = "SELECT max(size) FROM audit_checkpoints"

        async def reached() -> bool:
            return sealing.done() or await connection.fetchval(signed) == many

        await until(reached)
        os.kill(os.getpid(), signal.SIGTERM)
        await sealing
        await connection.close()

    asyncio.run(run())


async def _looks(urls: schema.Urls, many: int) -> None:
    connection = await asyncpg.connect(urls.app)
    await connection.execute("SELECT set_config('tonghu.caller', 'system', false)")
    for _ in range(many):
        await connection.execute(LOOK.format(f"'{new_id()}'"))
    await connection.close()


def test_a_key_is_made_once_and_named(tonghu: Tonghu, tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    code, said, _ = tonghu("audit", "keygen", path, "--name", "audit.example")
    assert (code, path.stat().st_mode & 0o777) == (0, 0o600)
    assert said.strip() == str(Signer.read(path.read_text()).public)
    assert "never overwritten" in tonghu("audit", "keygen", path, "--name", "audit.example")[2]
    assert "neither spaces" in tonghu("audit", "keygen", tmp_path / "x", "--name", "a b")[2]


def test_what_is_sealed_is_exported(
    tonghu: Tonghu, urls: schema.Urls, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(audit, "TOLD_EVERY", 2)
    tonghu("migrate")
    path = tmp_path / "export.jsonl"
    assert "Nothing is sealed yet" in tonghu("audit", "export", path)[2]
    assert not path.exists()
    asyncio.run(_looks(urls, 5))
    _sealed(urls, tmp_path, 5)
    assert '"event":"sealer.signed"' in capsys.readouterr().err, "an operator reads what it does"
    code, said, errors = tonghu("audit", "export", path)
    assert errors == "2 entries written so far\n4 entries written so far\n"
    assert (code, "5 entries written" in said.replace("\n", " ")) == (0, True)
    head, *leaves = path.read_text().splitlines()
    assert (json.loads(head)["to"], len(leaves)) == (5, 5)
    assert path.stat().st_mode & 0o777 == 0o600, "it is the audit"
    assert "exists already" in tonghu("audit", "export", path)[2]
    part = tmp_path / "part.jsonl"
    assert tonghu("audit", "export", part, "--from", "2", "--to", "4")[0] == 0
    assert len(part.read_text().splitlines()) == 3
    report = tmp_path / "report.html"
    code, said, _ = tonghu("year", "2026", "--document", report)
    assert (code, "合规审计报告" in report.read_text("utf-8")) == (0, True)


def test_a_sealer_without_its_key_or_with_an_open_one_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    told = {"environment": "production", "database": {"sealer_url": "postgresql://x/y"}}
    settings = SealerSettings(audit_key_file=path, **told)
    with pytest.raises(NoAuditKey):
        sealer.signer(settings)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(NoAuditKey, match="tonghu audit keygen"):
        sealer.signer(settings)
    path.unlink()
    sealer.write_key(path, Signer.generate("audit.example"))
    assert sealer.signer(settings).name == "audit.example"
    path.chmod(0o604)
    with pytest.raises(OpenKeyFile, match="TONGHU_AUDIT_KEY_FILE"):
        sealer.signer(settings)
    for missing in ({"database": {}, "audit_key_file": path}, {"audit_key_file": None}):
        with pytest.raises(ValueError, match="production needs TONGHU_"):
            SealerSettings(**{**told, **missing})


def test_while_the_database_is_away_it_asks_again(tmp_path: Path, monkeypatch) -> None:
    url = f"postgresql://tonghu_sealer:x@/tonghu?host={tmp_path}"
    settings = SealerSettings(environment="test", data_dir=tmp_path, database={"sealer_url": url})
    asked = []

    async def connect(*_: object, **__: object) -> None:
        asked.append(1)
        if len(asked) > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        raise ConnectionRefusedError

    monkeypatch.setattr(sealer.asyncpg, "connect", connect)
    monkeypatch.setattr(sealer, "PAUSE_SECONDS", 0.01)
    asyncio.run(sealer.run(settings))
    assert len(asked) >= 2


def test_who_waits_for_another_sealer_stops_when_told(
    tonghu: Tonghu, urls: schema.Urls, tmp_path: Path
) -> None:
    tonghu("migrate")
    settings = SealerSettings(
        environment="test", data_dir=tmp_path, database={"sealer_url": urls.sealer}
    )

    async def run() -> None:
        other = await asyncpg.connect(urls.sealer)
        assert await other.fetchval(sealer.ONE_AT_A_TIME)
        waiting = asyncio.ensure_future(sealer.run(settings))
        seen = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tonghu sealer'"
        await until(lambda: other.fetchval(seen))
        os.kill(os.getpid(), signal.SIGTERM)
        await waiting
        await other.close()

    with suppress(asyncio.CancelledError):
        asyncio.run(run())
    assert Signer.read((tmp_path / "audit.key").read_text()).name == "tonghu.local/audit"


def test_the_sealer_of_the_embedded_server_needs_no_address(tmp_path: Path, monkeypatch) -> None:
    class Seen(Exception):
        pass

    found = []

    async def work(url: str, *_: object) -> None:
        found.append(url)
        raise Seen

    monkeypatch.setattr(sealer, "_work", work)
    with pytest.raises(Seen):
        asyncio.run(sealer.run(SealerSettings(environment="test", data_dir=tmp_path)))
    assert found[0].startswith("postgresql://tonghu_sealer:")
