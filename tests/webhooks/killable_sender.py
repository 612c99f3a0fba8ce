"""A sender for the tests that kill one: `python -m tests.webhooks.killable_sender URL PORT`.

It reads the keys from its standard input and dies the hard way between the receiver's 2xx and the
writing down of it.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import asyncpg

from app.core import settings as config
from app.core.clock import utc_now
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.webhooks import delivery


async def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, port: str, keys: str) -> None:
    delivery._record = die
    engine = open_engine(url, config.Database())
    database = Database(engine, Keyring.from_json(keys), utc_now)
    await delivery.run(
        lambda: asyncpg.connect(url),
        begin=lambda: database.begin(SYSTEM),
        settings=config.Webhooks(
            allowed_networks=("127.0.0.1/32",), allow_http=True, allowed_ports=(int(port),)
        ),
        stop=asyncio.Event(),
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.stdin.read()))
