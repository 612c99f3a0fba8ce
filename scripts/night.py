"""A night: what breaks really breaks, and a real Prometheus says which alert fires after how long.

    python -m scripts.night [--factor 12] [--only FAULT] [--picture FILE]

Web, worker, sealer and `tonghu wal` run on a database of their own on a small disk, callers go on
all night. The night goes by so many times as fast as `deploy/alerts.yaml` counts
(`scripts/watching.py`). Ends with 1 if an alert that should fire does not, if another does, or if a
panel of the dashboard stays empty. Needs Prometheus (Debian's package `prometheus`).
"""

import argparse
import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from app import wiring
from app.core import logs
from scripts import board
from scripts.night_town import DISK, Place, small_disk
from scripts.watching import Watch, prometheus
from tests.faults import load, town
from tests.faults.town import free_ports
from tests.waiting import until
from tests.webhooks.workshop import Receiver

FACTOR: Final = 12.0
NIGHT: Final = 300.0
"""Seconds after which what has not fired never does."""
ALWAYS: Final = {"WitnessesMissing", "DiskFilling", "Unwatched"}
"""There are no witnesses and no certificate here, and the disk is a small one, just begun."""
PLENTY: Final = 60
SIGNED_IN: Final = 300.0


@dataclass(frozen=True)
class Fault:
    """Something that breaks. `fires`: the alerts that must fire; `may`: others that follow from
    it; `unhurried`: seconds before the first of them that do not go by any faster.
    """

    name: str
    told: str
    breaks: Callable[["Night"], Any]
    fires: tuple[str, ...]
    may: frozenset[str] = frozenset()
    unhurried: float = 0.0


@dataclass
class Fired:
    """What came of a fault: seconds until each alert fired, and until all was quiet again."""

    fault: Fault
    after: dict[str, float] = field(default_factory=dict)
    quiet: float = 0.0


@dataclass
class Night:
    """One run. `callers`: how many ask at once beside the steady few."""

    place: Place
    watch: Watch
    disk: Path | None
    say: Callable[[str], None]
    answered: dict[int, int] = field(default_factory=dict)
    came: list[Fired] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    # --- what goes on all night -------------------------------------------------------------------

    async def ask(self, every: float, who: load.Load) -> None:
        """Read, and now and then report something, as apps do."""
        async with httpx.AsyncClient(base_url=self.place.base, timeout=30) as http:
            for turn in itertools.count():
                caller = who.callers["report" if turn % 6 == 0 else "visit"]
                headers = {
                    "authorization": f"Bearer {caller.token}",
                    "purpose-of-use": caller.purpose,
                }
                try:
                    if turn % 6 == 0:
                        wish = load.a_report(self.place)
                        answer = await http.post(wish.path, json=wish.body, headers=headers)
                    else:
                        answer = await http.get("/v1/children?limit=5", headers=headers)
                except httpx.TransportError:
                    answer = httpx.Response(0)
                self.answered[answer.status_code] = self.answered.get(answer.status_code, 0) + 1
                await asyncio.sleep(every)

    async def keep_asking(self) -> None:
        """Ask two times a second, with a new sign-in before the last one ends."""
        while True:
            who = await asyncio.to_thread(load.Load.of, self.place)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SIGNED_IN):
                    await self.ask(0.5, who)

    # --- one fault after another ------------------------------------------------------------------

    async def play(self, fault: Fault) -> None:
        """Let something break; wait until its alerts fired, mend it, wait until none does."""
        self.say(f"\n{fault.name}: {fault.told}")
        fired = Fired(fault)
        self.came.append(fired)
        async with fault.breaks(self):
            began = time.monotonic()
            while not {*fault.fires} <= {*fired.after}:
                if time.monotonic() - began > NIGHT:
                    missing = ", ".join(sorted({*fault.fires} - {*fired.after}))
                    self.wrong.append(f"{fault.name}: {missing} did not fire")
                    break
                await self._hear(fired, began)
        mended = time.monotonic()
        while (await self._hear(fired, began)) - ALWAYS:
            if time.monotonic() - mended > NIGHT:
                self.wrong.append(f"{fault.name}: mended, and some alert still fires")
                break
        fired.quiet = time.monotonic() - mended
        for alert, after in fired.after.items():
            self.say(f"  {after:6.1f} s  {alert}")
        self.say(f"  {fired.quiet:6.1f} s  after it was mended all was quiet")
        stray = {*fired.after} - {*fault.fires} - fault.may - ALWAYS
        if stray:
            self.wrong.append(f"{fault.name}: {', '.join(sorted(stray))} fired as well")

    async def _hear(self, fired: Fired, began: float) -> set[str]:
        """Write down what fires that did not before."""
        await asyncio.sleep(0.25)
        now = await asyncio.to_thread(self.watch.firing)
        for name in sorted(now - ALWAYS - {*fired.after}):
            fired.after[name] = time.monotonic() - began
        return now

    # --- what can break ---------------------------------------------------------------------------

    @asynccontextmanager
    async def nothing(self) -> AsyncIterator[None]:
        """Look on for a while: nothing may fire."""
        await asyncio.sleep(PLENTY)
        yield

    @asynccontextmanager
    async def receiver_down(self) -> AsyncIterator[None]:
        await self.desk.aclose()
        yield
        await self.receive()
        await self._at_once()

    @asynccontextmanager
    async def worker_dead(self) -> AsyncIterator[None]:
        self.place.kill("worker")
        yield
        await asyncio.to_thread(self.place.up)
        await self.place.lose_leases()
        await self._at_once()

    def stopped(self, part: str) -> Any:
        """Let a process be there, and do nothing."""

        @asynccontextmanager
        async def block() -> AsyncIterator[None]:
            pid = self.place.pid(part)
            os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(pid, signal.SIGCONT)
            await self._at_once()

        return block()

    @asynccontextmanager
    async def slow_sessions(self) -> AsyncIterator[None]:
        """Somebody holds the children's table, and apps ask as they always do."""
        who = await asyncio.to_thread(load.Load.of, self.place)
        crowd = [asyncio.create_task(self.ask(1.0, who)) for _ in range(PLENTY)]
        holder = await asyncpg.connect(self.place.database)
        try:
            await holder.execute("BEGIN; LOCK TABLE children IN ACCESS EXCLUSIVE MODE")
            yield
        finally:
            await holder.close()
            await _ended(crowd)

    @asynccontextmanager
    async def disk_full(self) -> AsyncIterator[None]:
        ballast = self.place.data_dir.parent / "ballast"
        free = shutil.disk_usage(ballast.parent).free
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - DISK // 20)
        yield
        ballast.unlink()

    @asynccontextmanager
    async def privilege_lost(self) -> AsyncIterator[None]:
        """One job raises, each time: as after a restore by hand that forgot a grant."""
        await self.place.query("REVOKE UPDATE ON audit_witnesses FROM tonghu_app")
        yield
        await self.place.query("GRANT UPDATE ON audit_witnesses TO tonghu_app")
        await self.place.query(
            "UPDATE jobs SET status = 'queued', failures = 0, run_at = now()"
            " WHERE name = 'sealing.announce'"
        )

    @asynccontextmanager
    async def no_backup(self) -> AsyncIterator[None]:
        await self.place.query("DELETE FROM backups_made")
        yield
        await asyncio.to_thread(self.place.back_up)

    @asynccontextmanager
    async def wal_dead(self) -> AsyncIterator[None]:
        self.place.kill_wal()
        yield
        await asyncio.to_thread(self.place.up)

    async def _at_once(self) -> None:
        """Let what would be tried again later be tried now."""
        await self.place.query(
            "UPDATE webhook_deliveries SET next_at = now() WHERE state = 'pending'"
        )
        await self.place.query("SELECT pg_notify('tonghu_deliveries', '')")

    async def receive(self) -> None:
        self.desk = contextlib.AsyncExitStack()
        await self.desk.enter_async_context(town.desk(self.place, Receiver()))

    desk: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


FAULTS: Final = (
    Fault("quiet", "nothing is wrong", Night.nothing, ()),
    Fault(
        "delivery",
        "the police's system takes nothing",
        Night.receiver_down,
        ("ReportUndelivered", "MandatoryUndelivered"),
    ),
    Fault(
        "worker",
        "the worker is killed",
        Night.worker_dead,
        ("WorkerAway", "ReportUndelivered", "MandatoryUndelivered", "EventsNotHandedOut"),
        frozenset({"ScheduleMissed", "JobsLate", "WorkerMachineAway"}),
    ),
    Fault(
        "frozen",
        "the worker is there and does nothing (SIGSTOP)",
        lambda night: night.stopped("worker"),
        ("WorkerAway",),
        frozenset({"ReportUndelivered", "MandatoryUndelivered", "EventsNotHandedOut"}),
    ),
    Fault(
        "pool",
        "sessions are slow, the pool is used up",
        Night.slow_sessions,
        ("PoolFull", "ReportsRefused"),
        frozenset({"Refusing", "FiguresUnread", "ReportUndelivered", "EventsNotHandedOut"})
        | {"MandatoryUndelivered", "JobsHeld", "JobsHeldOfReports", "JobsLate"},
    ),
    Fault("disk", "a twentieth of the disk is free", Night.disk_full, ("DiskNearlyFull",)),
    Fault(
        "sealer",
        "the sealer does nothing (SIGSTOP)",
        lambda night: night.stopped("sealer"),
        ("SealingLate",),
    ),
    Fault("backup", "nobody ever made a backup", Night.no_backup, ("BackupLate",)),
    Fault("wal", "`tonghu wal` is killed", Night.wal_dead, ("WalNotKept",)),
    Fault(
        "schedule",
        "a job that comes round each minute raises",
        Night.privilege_lost,
        ("ScheduleMissed",),
        frozenset({"JobsHeld"}),
        unhurried=60.0,
    ),
)


@asynccontextmanager
async def a_night(folder: Path, factor: float) -> AsyncIterator[Night]:
    """Build the town, start everything, and let callers ask."""
    port, receiver, worker, prometheus_port = free_ports(4)
    disk = folder / "disk"
    disk.mkdir()
    async with small_disk(disk) as small:
        place = Place(disk / "data", port, receiver_port=receiver)
        place.worker_port = worker
        targets = {
            "tonghu-web": f"127.0.0.1:{port}",
            "tonghu-worker": f"127.0.0.1:{worker}",
        }
        watch = Watch(folder / "prometheus", prometheus_port, targets, factor)
        night = Night(place, watch, small, lambda line: print(line, flush=True))
        try:
            await town.build(place)
            await asyncio.to_thread(place.back_up)
            await night.receive()
            watch.start()
            await until(lambda: watch.ask("alerts"))
            night.tasks = [asyncio.create_task(night.keep_asking())]
            yield night
        finally:
            await _ended(night.tasks)
            watch.stop()
            await night.desk.aclose()
            await asyncio.to_thread(place.stop)
            await until(place.is_gone)


def summary(night: Night) -> list[str]:
    """Return a table of what fired when."""
    factor = night.watch.factor
    lines = [
        "| what broke | alert | played, s | in a night, min | quiet after, s |",
        "|---|---|---|---|---|",
    ]
    for one in night.came:
        still = one.fault.unhurried
        for alert in one.fault.fires:
            after = one.after.get(alert)
            if after is not None:
                real = (max(after - still, 0) * factor + min(still, after)) / 60
                lines.append(
                    f"| {one.fault.told} | {alert} | {after:.0f} | {real:.1f} | {one.quiet:.0f} |"
                )
    return lines


async def play(factor: float, only: str | None, picture: Path | None) -> int:
    logs.configure(logging.CRITICAL)
    wiring.load()
    with tempfile.TemporaryDirectory(prefix="tonghu-night-", dir="/var/tmp") as work:
        folder = Path(work)
        folder.chmod(0o755)
        async with a_night(folder, factor) as night:
            for fault in FAULTS:
                if only in (None, fault.name):
                    if fault.name == "disk" and night.disk is None:
                        night.say("\ndisk: not played, only root may mount a small one")
                        continue
                    await night.play(fault)
            night.say("\n" + "\n".join(summary(night)))
            told = await asyncio.to_thread(board.shown, night.watch)
            night.say(f"the dashboard's {len(told)} queries were asked")
            if only is None:
                night.wrong += [f"nothing is shown of {each}" for each in board.empty(told)]
            if picture is not None:
                board.draw(told, picture, factor)
            night.say(f"answers: {dict(sorted(night.answered.items()))}")
            for line in night.wrong:
                night.say(f"WRONG: {line}")
            return 1 if night.wrong else 0


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reading.add_argument("--factor", type=float, default=FACTOR)
    reading.add_argument("--only", choices=[each.name for each in FAULTS])
    reading.add_argument("--picture", type=Path, help="Draw the dashboard there (matplotlib).")
    told = reading.parse_args()
    if prometheus() is None:
        print("scripts.night: skipped, there is no Prometheus here (Debian's package `prometheus`)")
        return
    sys.exit(asyncio.run(play(told.factor, told.only, told.picture)))


if __name__ == "__main__":
    main()
