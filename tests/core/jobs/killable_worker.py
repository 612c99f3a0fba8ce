"""A worker process for the tests that kill one: `python -m tests.core.jobs.killable_worker URL`.

It says `begun` when a job has started; the job then waits for ever or, if its payload says so,
kills the process the hard way.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import asyncpg

from app.core import settings
from app.core.clock import utc_now
from app.core.data.crypto import Keyring
from app.core.data.db import Database, Tx, open_engine
from app.core.jobs import queue, runner


@queue.job("test.stuck")
async def stuck(tx: Tx, payload: dict[str, Any]) -> None:
    await tx.connection.execute("INSERT INTO marks (text) VALUES ('half')")
    print("begun", flush=True)  # noqa: T201  the parent waits for this line
    if payload.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.Event().wait()


async def main(url: str) -> None:
    database = Database(open_engine(url, settings.Database()), Keyring.generate(), utc_now)
    await runner.run(
        lambda: asyncpg.connect(url),
        begin=database.begin,
        clock=utc_now,
        stop=asyncio.Event(),
        limits=runner.Limits(poll=timedelta(seconds=0.1), lease=timedelta(seconds=0.6), crashes=2),
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
