"""The job runner: events' handlers, schedules, the handing out of events and webhook deliveries.
Run with `tonghu worker`.

Stateless, like the web process: start as many as needed. What is in flight at SIGTERM is finished
(25 s at most); what a killed worker held goes to another when its lease runs out.
"""

import asyncio
import resource
import signal
from functools import partial

import asyncpg
import structlog

from app import wiring
from app.core import logs, metrics, startup, tracing
from app.core.clock import Clock, utc_now
from app.core.data.db import CONNECT_SECONDS, PLANNED_ANEW, SYSTEM, Database
from app.core.http import beside
from app.core.jobs import runner
from app.core.settings import Settings
from app.webhooks import delivery, handing, key_sets

log = structlog.get_logger(__name__)


async def run(settings: Settings, *, clock: Clock = utc_now) -> None:
    """Work until SIGTERM or SIGINT."""
    logs.configure()
    wiring.load()
    settings = settings.model_copy(update={"database": settings.database.direct})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection each, of up to 1,000
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stop.set)
    with tracing.running("worker"):
        await _run(settings, clock, stop)


async def _run(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    async with (
        startup.reachable_database(settings) as addresses,
        startup.open_database(settings, clock, addresses=addresses, planned_anew=True) as database,
        beside.answering(settings, partial(_figures, database, settings)) as port,
    ):
        connect = partial(
            asyncpg.connect,
            addresses.app_url,
            timeout=CONNECT_SECONDS,
            command_timeout=runner.STATEMENT_SECONDS,
            server_settings=PLANNED_ANEW,
        )
        begin = partial(database.begin, SYSTEM)
        log.info("worker.started", port=port)
        file = startup.key_file(settings)
        keys = _Keys(database)
        following = asyncio.create_task(file.follow(database, keys.changed))
        ending = asyncio.create_task(keys.end_with(stop))
        try:
            while await keys.are_right(stop):
                async with asyncio.TaskGroup() as together:
                    pause = keys.pause
                    together.create_task(runner.run(connect, begin=begin, clock=clock, stop=pause))
                    together.create_task(handing.run(connect, begin=begin, stop=pause))
                    together.create_task(
                        delivery.run(connect, begin=begin, settings=settings.webhooks, stop=pause)
                    )
                    together.create_task(
                        key_sets.run(begin=begin, settings=settings.webhooks, stop=pause)
                    )
        finally:
            for task in (following, ending):
                task.cancel()
        log.info("worker.stopped")


class _Keys:
    """Whether there is anything to be done with the keys of this process (ADR 62). `pause`: set
    when what runs is to end.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pause = asyncio.Event()
        self._right = asyncio.Event()
        self.changed()

    def changed(self) -> None:
        """Begin again, or end what runs, by what the keys are now."""
        if self._database.wrong_keys is None:
            self._right.set()
        else:
            self._right.clear()
            self.pause.set()

    async def are_right(self, stop: asyncio.Event) -> bool:
        """Wait until they are, and tell so; False: the process is to stop."""
        await self._right.wait()
        self.pause = asyncio.Event()
        return not stop.is_set()

    async def end_with(self, stop: asyncio.Event) -> None:
        """End what runs when the process is to stop, and what waits."""
        await stop.wait()
        self._right.set()
        self.pause.set()


async def _figures(database: Database, settings: Settings) -> bytes:
    return await metrics.render(database, metrics.OfWorker(database), metrics.OfDisk(settings))
