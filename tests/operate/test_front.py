"""deploy/nginx.conf, run: TLS, and what it passes on of whom. Needs nginx (Debian's package)."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.clock import utc_now
from tests.architecture.test_shape import HOME
from tests.faults.town import free_ports
from tests.waiting import until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here: Debian's package `nginx`")


def a_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


class Front(NamedTuple):
    https: httpx.AsyncClient
    plain: str
    seen: list[dict[str, str]]
    log: Path


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """nginx before something that says what reached it."""
    web, plain, tls = free_ports(3)
    certificate, key = a_certificate(tmp_path)
    text = (HOME / "deploy/nginx.conf").read_text("utf-8")
    for was, becomes in (
        (" /tmp/", f" {tmp_path}/"),
        ("server web:8000;", f"server 127.0.0.1:{web};"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl"),
        ("/run/secrets/tls_certificate", str(certificate)),
        ("/run/secrets/tls_key", str(key)),
        ("worker_processes auto;", "worker_processes 1; daemon off;"),
    ):
        assert was in text
        text = text.replace(was, becomes)
    (tmp_path / "nginx.conf").write_text(text)
    seen: list[dict[str, str]] = []

    async def app(scope, receive, send) -> None:
        if scope["type"] == "http":
            seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"here"})

    server = uvicorn.Server(uvicorn.Config(app, port=web, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    command = [str(NGINX), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert tried.returncode == 0, tried.stderr
    with (tmp_path / "log").open("wb") as log:
        nginx = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
    trust = ssl.create_default_context(cafile=str(certificate))
    trust.check_hostname = False
    try:
        base = f"https://127.0.0.1:{tls}"
        async with httpx.AsyncClient(base_url=base, verify=trust) as https:

            async def listens() -> bool:
                assert nginx.poll() is None, (tmp_path / "log").read_text()
                with contextlib.suppress(httpx.TransportError):
                    return (await https.get("/livez")).status_code == 200
                return False

            await until(listens)
            seen.clear()
            yield Front(https, f"http://127.0.0.1:{plain}", seen, tmp_path / "log")
    finally:
        nginx.terminate()
        nginx.wait()
        server.should_exit = True
        await serving


async def test_it_says_itself_for_whom_it_asks(front: Front) -> None:
    forged = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "http",
        "X-Real-IP": "192.0.2.7",
        "Forwarded": "for=192.0.2.7",
        "X-Request-Id": "mine",
    }
    answer = await front.https.get("/v1/me", headers=forged)
    assert answer.text == "here"
    assert "nginx/" not in answer.headers["server"]
    [told] = front.seen
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "https"
    assert "192.0.2.7" not in str(told)
    assert len(told["x-request-id"]) == 32


async def test_what_is_the_operators_does_not_exist_and_plain_http_is_sent_on(front: Front) -> None:
    for path in ("/metrics", "/readyz"):
        assert (await front.https.get(path)).status_code == 404
    async with httpx.AsyncClient() as http:
        sent_on = await http.post(f"{front.plain}/v1/police-reports", content=b"x")
    assert sent_on.status_code == 308
    assert sent_on.headers["location"].startswith("https://")
    assert front.seen == []


async def test_what_is_too_large_ends_there_and_the_log_names_nobody(front: Front) -> None:
    assert (await front.https.post("/v1/visits", content=b"x" * 7 * 2**20)).status_code == 413
    await front.https.get("/v1/children/SECRET?name=SECRET")
    await until(lambda: b" GET " in front.log.read_bytes())
    said = front.log.read_text()
    assert "SECRET" not in said
    assert "127.0.0.1" not in said
