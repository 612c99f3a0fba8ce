"""What a token bound to a key costs: `python -m bench.proofs`. Needs valgrind.

Instructions of the web process for a request, as `bench.counting` counts them, with a bearer's
token and with one bound to a key: each request then brings a proof of its own.
"""

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import httpx
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from rich.console import Console
from rich.table import Table

from app.access.dpop import Nonces
from app.core import startup
from app.core.clock import utc_now
from app.core.settings import Settings
from bench.__main__ import Measured, log_aside, paths, prepare
from bench.counting import REQUESTS, control, counted
from bench.world import World, sign
from scripts.scratch import choose


class Signer:
    """Who holds the key."""

    def __init__(self, issuer: str, nonces: Nonces) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.issuer, self.nonces = issuer, nonces
        numbers = self.key.public_key().public_numbers()
        x, y = (_text(each.to_bytes(32)) for each in (numbers.x, numbers.y))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        said = json.dumps(self.jwk, separators=(",", ":")).encode()
        self.thumbprint = _text(hashlib.sha256(said).digest())

    def proof(self, method: str, path: str, authorization: str) -> str:
        now = int(utc_now().timestamp())
        token = authorization.partition(" ")[2]
        claims = {
            "jti": str(uuid4()),
            "htm": method,
            "htu": f"{self.issuer}{path}",
            "iat": now,
            "ath": _text(hashlib.sha256(token.encode()).digest()),
            "nonce": self.nonces.current(now),
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        signing = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self.key.sign(signing.encode(), ec.ECDSA(SHA256())))
        return f"{signing}.{_text(r.to_bytes(32) + s.to_bytes(32))}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def count(pid: int, port: int, world: World, one: Measured, signer: Signer | None) -> float:
    """Return millions of instructions a request."""

    def ask(http: httpx.Client) -> None:
        for _ in range(REQUESTS):
            said = json.dumps(one.body).replace("{child}", str(world.child))
            sent = said.replace("{uuid}", str(uuid4())) if one.body else None
            headers = {**one.caller, "content-type": "application/json"}
            if signer is not None:
                headers["dpop"] = signer.proof(one.method, one.path, headers["authorization"])
            http.request(one.method, one.path, content=sent, headers=headers).raise_for_status()

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
        ask(http)
        control(pid, "-z")
        control(pid, "-i", "on")
        ask(http)
        told = control(pid, "-e", "-b")
        control(pid, "-i", "off")
    found = re.search(r"Totals?:?\s+([\d,]+)", told) or re.search(r"([\d,]{7,})", told)
    if found is None:
        raise RuntimeError(told)
    return int(found[1].replace(",", "")) / REQUESTS / 1e6


async def run(settings: Settings, world: World) -> Table:
    table = Table("path", "bearer", "bound", "more", title="Millions of instructions a request")
    async with (
        startup.reachable_database(settings) as addresses,
        startup.open_database(settings, utc_now, addresses=addresses) as database,
    ):
        signer = Signer(settings.tokens.issuer, Nonces(database.keyring))

        def compare() -> None:
            with counted("app.main:create_app", {}) as (pid, port):
                for one in paths(world):
                    plain = count(pid, port, world, one, None)
                    caller = dict(one.caller)
                    told = asyncio.run_coroutine_threadsafe(
                        sign(database, settings, caller, signer.thumbprint), loop
                    )
                    told.result()
                    bound = Measured(
                        *(one.name, one.method, one.path, caller, one.body, one.status, one.mark)
                    )
                    more = count(pid, port, world, bound, signer)
                    table.add_row(one.name, f"{plain:.2f}", f"{more:.2f}", f"{more - plain:.2f}")

        loop = asyncio.get_running_loop()
        await asyncio.to_thread(compare)
    return table


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-bench-", dir=choose(durable=True).folder))
    os.environ |= {"TONGHU_ENVIRONMENT": "sandbox", "TONGHU_DATA_DIR": str(folder)}
    settings = Settings()
    try:
        with log_aside(folder / "log"):
            world, _ = uvloop.run(prepare(settings))
        Console(width=80).print(asyncio.run(run(settings, world)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
