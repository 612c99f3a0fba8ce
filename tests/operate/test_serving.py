"""`tonghu serve` names the address that it serves."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app import serving
from app.core.settings import Settings
from tests.faults.town import free_ports
from tests.operate.test_worker_answers import settings_of
from tests.waiting import PATIENCE, until


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001"),
        ("0.0.0.0", "http://127.0.0.1:8001"),
        ("::", "http://[::1]:8001"),
        ("tonghu.example", "http://tonghu.example:8001"),
    ],
)
def test_where_one_calls_who_listens(host: str, named: str) -> None:
    assert serving.address(host, 8001) == named
    assert serving.served_at(Settings(environment="test"), host, 8001).tokens.issuer == named


def test_what_is_set_stays() -> None:
    told = Settings(environment="test", tokens={"issuer": "https://tonghu.example"})
    assert serving.served_at(told, "127.0.0.1", 8001) is told


@pytest.mark.parametrize(("docs", "named"), [("true", ", its docs at /docs"), ("false", "")])
async def test_clients_are_told_of_the_port_they_call(
    database_urls, keyring, tmp_path: Path, docs: str, named: str
) -> None:
    [port] = free_ports(1)
    environment = settings_of(
        database_urls.app, 0, TONGHU_DATA_DIR=str(tmp_path), TONGHU_KEYS=keyring.to_json()
    )
    environment["TONGHU_DOCS_ENABLED"] = docs
    log = tmp_path / "log"
    with log.open("wb") as said:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stderr=said)  # noqa: ASYNC220
    place = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=place) as http:

            async def ready() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)
            told = await http.get("/.well-known/oauth-authorization-server")
            assert told.json()["issuer"] == place
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert f"Serving {place}{named}; Ctrl-C stops it." in log.read_text()
