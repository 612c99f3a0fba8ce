"""A worker, as a process of its own, answers whether it lives and what it counts."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core import settings as config
from app.core.http import beside
from app.core.settings import Settings
from tests.faults.town import free_ports
from tests.operate.told import samples
from tests.waiting import until

TONGHU = (sys.executable, "-m", "app.cli")


def settings_of(url: str, port: int, **others: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TONGHU_")}
    return {
        **mine,
        "TONGHU_ENVIRONMENT": "test",
        "TONGHU_DATABASE__URL": url,
        "TONGHU_WORKER__PORT": str(port),
        **others,
    }


@contextmanager
def a_worker(log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen([*TONGHU, "worker"], stderr=said, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_two_workers_of_a_machine_answer_each_on_a_port_of_its_own(
    database_urls, keyring, tmp_path
) -> None:
    ports = free_ports(2)
    folder = {"TONGHU_DATA_DIR": str(tmp_path), "TONGHU_KEYS": keyring.to_json()}
    logs = [tmp_path / f"{port}.log" for port in ports]
    workers = [
        a_worker(log, settings_of(database_urls.app, port, **folder))
        for log, port in zip(logs, ports, strict=True)
    ]
    with workers[0] as one, workers[1] as two:
        await until(lambda: all(b"worker.started" in log.read_bytes() for log in logs))
        async with httpx.AsyncClient() as http:
            for port in ports:
                place = f"http://127.0.0.1:{port}"
                alive = await http.get(f"{place}/livez")
                assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
                told = samples((await http.get(f"{place}/metrics")).text)
                assert told["tonghu_database_up"] == {"": 1}
                assert told["tonghu_pool_size"] == {'process="0"': 16}
                assert told["process_open_fds"]['process="0"'] > 0
                assert told["tonghu_mandatory_undelivered_seconds"] == {"": 0}
                assert 'name="duties.escalate"' in told["tonghu_job_interval_seconds"]
                assert "tonghu_disk_bytes" not in told, "the machine of another server knows"
                assert (await http.get(f"{place}/readyz")).status_code == 404
                assert (await http.post(f"{place}/livez")).status_code == 404
        taken = subprocess.run(  # noqa: ASYNC221  nothing else goes on
            [*TONGHU, "worker"],
            env=settings_of(database_urls.app, ports[0], **folder),
            capture_output=True,
            text=True,
            check=False,
        )
        assert taken.returncode == 1
        [line] = taken.stderr.strip().splitlines()
        assert f"port {ports[0]}" in line
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
        assert [await asyncio.to_thread(each.wait) for each in (one, two)] == [0, 0]
    for log in logs:
        said = [json.loads(line) for line in log.read_text().splitlines()]
        assert [line["event"] for line in said][:1] == ["worker.started"]


async def figures() -> bytes:
    return b"some 1\n"


@contextmanager
def asking(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        yield connection


async def said(connection: socket.socket, sent: bytes) -> bytes:
    loop, got = asyncio.get_running_loop(), b""
    await loop.sock_sendall(connection, sent)
    while more := await loop.sock_recv(connection, 4096):
        got += more
    return got


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def listening(port: int, **others: object) -> Settings:
    return Settings(environment="test", worker=config.Worker(port=port), **others)


async def test_figures_are_for_those_networks_alone(port) -> None:
    strangers = listening(port, metrics_networks=("10.0.0.0/8",))
    async with beside.answering(strangers, figures), httpx.AsyncClient() as http:
        assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404
        assert (await http.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
    async with beside.answering(listening(port), figures), httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert (answer.status_code, answer.text) == (200, "some 1\n")


async def test_who_asks_wrongly_or_never_ends_is_let_go(port, monkeypatch) -> None:
    monkeypatch.setattr(beside, "_SECONDS", 0.2)
    async with beside.answering(listening(port), figures):
        for sent in (b"x" * 20_000, b"GET /livez", b""):
            with asking(port) as connection:
                try:
                    assert await said(connection, sent) == b""
                except ConnectionResetError:
                    assert len(sent) > 8192
        with asking(port) as connection:
            assert (await said(connection, b"?\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_figures_that_cannot_be_told_are_no_end_of_it(port) -> None:
    async def broken() -> bytes:
        raise ValueError

    async with beside.answering(listening(port), broken), httpx.AsyncClient() as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"http://127.0.0.1:{port}/metrics")
        assert (await http.get(f"http://127.0.0.1:{port}/livez")).status_code == 200


async def test_where_no_port_is_named_there_is_one_in_production_only(port) -> None:
    async with beside.answering(Settings(environment="test"), figures) as answers_on:
        assert answers_on == 0
    production = {
        "environment": "production",
        "database": {"url": "postgresql://a/b"},
        "keys": "{}",
        "tokens": {"issuer": "https://a.example"},
    }
    assert Settings(**production).worker_port == 8010
    assert Settings(**production, worker={"port": 0}).worker_port == 0
