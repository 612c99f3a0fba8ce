"""`make demo`: the whole main job, played over HTTP between separate processes."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from app.core import startup
from app.core.clock import local_date, utc_now
from app.core.data import migrations
from app.core.data.db import SYSTEM
from app.core.settings import Settings
from app.regions.divisions import demo_villages
from demo import api, table, turns
from demo.cast import Cast
from demo.casting import assemble
from demo.loading import load
from demo.register import JIZHOU, SyntheticChild, generate
from demo.stage import HOME, Stage, StageFailed, free_port, poll
from demo.telling import chapter, out, tell

POLICE_PORT_OFFSET = 1
PUPILS = {"primary", "junior_secondary"}


def village_of_the_story(children: tuple[SyntheticChild, ...]) -> int:
    """Choose the village of Jizhou with the most pupils."""
    pupils = Counter(
        child.village
        for child in children
        if child.village // 10**6 * 10**6 == JIZHOU
        and child.schooling in PUPILS
        and not child.dropout
    )
    return max(pupils, key=lambda village: (pupils[village], -village))


async def prepare(settings: Settings, village: int) -> Cast:
    """Migrate an empty database and register the cast."""
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        async with (
            startup.open_database(settings, utc_now, addresses=addresses) as database,
            database.begin(SYSTEM) as tx,
        ):
            return await assemble(tx, village=village)


def play(stage: Stage) -> bool:
    """Play the story; returns whether the recomputed table equals the printed one."""
    began = time.monotonic()
    today = local_date(utc_now())
    children = generate(list(demo_villages()), as_of=today)
    village = village_of_the_story(children)

    chapter("1  The stage")
    stage.prepare()
    os.environ.update(stage.environment)
    asyncio.run(prepare(Settings(), village)).write(stage.data_dir)
    tell("worker", "database migrated, divisions loaded, agencies and their keys registered")
    stage.start("web", "-m", "app.cli", "serve", "--port", str(stage.port))
    stage.start("worker", "-m", "app.cli", "worker")
    stage.start("sealer", "-m", "app.cli", "sealer")
    stage.wait_until_ready()
    count = load(stage.base, stage.data_dir, children, village=village)
    tell("worker", f"{count:,} synthetic children registered through the API in ten districts")

    chapter("2  Absence to return (EDU-01…EDU-08)")
    stage.run("demo.school", "push")
    stage.run("demo.school", "persuade")
    stage.run("demo.offices", "receive_written_report")
    stage.run("demo.school", "welcome")

    chapter("3  Visits from an offline phone (VIS-01…VIS-03)")
    stage.run("demo.phone", "visit")

    chapter("4  A report to the police and back (REP-01…REP-16)")
    report_to_the_police(stage)

    chapter("5  Who sees what")
    stage.run("demo.offices", "look_from_outside")

    chapter("6  The register recomputed, beside what Tianjin printed (STA-02)")
    compared, same = table.compare(table.read_register(stage.base, stage.data_dir, today))
    out.print(compared)

    chapter("7  What life brings in the middle of it")
    for part in turns.PARTS:
        stage.run("demo.turns", part)
    summary(stage, same=same, seconds=time.monotonic() - began)
    return same


def report_to_the_police(stage: Stage) -> None:
    """File, lose the first delivery, kill the worker too, and see the report arrive."""
    port = free_port_beside(stage.port)
    stage.start("police", "-u", "-m", "demo.police", stage.base, str(stage.data_dir), str(port))
    poll("The police system's start", lambda: listening(port))
    stage.run("demo.phone", "report")
    with showing(stage.log("police")):
        poll("The first delivery", lambda: "dropped" in stage.log("police").read_text())
        stage.kill("worker")
        tell("worker", "killed with -9 between two deliveries; a new one takes over")
        stage.start("worker", "-m", "app.cli", "worker")
        stage.run("demo.offices", "follow_up")
    print_chain(stage)


def free_port_beside(port: int) -> int:
    for candidate in range(port + POLICE_PORT_OFFSET, port + 90):
        if not listening(candidate):
            return candidate
    return free_port()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class showing:  # noqa: N801  reads as `with showing(log)`
    """Print what another process writes to its log, as it comes."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def _follow(self) -> None:
        with self.log.open() as lines:
            while True:
                line = lines.readline()
                if line.startswith("  "):
                    out.print(line.rstrip("\n"), markup=False)
                elif not line and self.ended.wait(0.05):
                    return


def print_chain(stage: Stage) -> None:
    """Print the proof of the report, as one call gives it."""
    county = api.machine(stage.base, stage.data_dir, "county", "protection")
    report_id = (stage.data_dir / "report").read_text()
    chain: dict[str, Any] = county.get(f"/v1/police-reports/{report_id}/chain")
    out.print(f"  GET /v1/police-reports/{report_id}/chain", style="dim")
    for delivery in chain["deliveries"]:
        tries = ", ".join(
            f"{one['at'][11:19]} → {one['status'] or 'no answer'}" for one in delivery["attempts"]
        )
        out.print(f"    webhook-id {delivery['webhook_id']}: {tries}", style="dim")
    for step in chain["steps"]:
        out.print(f"    {step['at'][11:19]} {step['step']}", style="dim")


def summary(stage: Stage, *, same: bool, seconds: float) -> None:
    """Say what happened and where to look."""
    token = api.machine(stage.base, stage.data_dir, "county", "supervision").token
    director = Cast.read(stage.data_dir).people["village_director"]
    chapter("Summary")
    verdict = "equals the printed one" if same else "DIFFERS from the printed one"
    out.print(f"  The story took {seconds:.0f} s. The recomputed table {verdict}.")
    out.print(f"  Docs      {stage.base}/docs")
    out.print(f"  Sign-in   {director.username}  {director.password}")
    out.print(f"  Data      {stage.data_dir} (logs, cast.json with every key)")
    out.print("  Power     the cast was set by nobody; in a service two operators do that")
    out.print("  Token     of Jizhou civil affairs, five minutes:")
    out.print(f"  export TOKEN={token}", soft_wrap=True)
    out.print(
        f'  curl -s "{stage.base}/v1/children?limit=2" -H "Authorization: Bearer $TOKEN"'
        ' -H "Purpose-Of-Use: care"'
    )


def main() -> int:
    data_dir = Path(os.environ.get("TONGHU_DEMO_DIR", HOME / ".data" / "demo"))
    leave = "--leave" in sys.argv
    stage = Stage(data_dir)
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(ending, signal.default_int_handler)
    try:
        same = play(stage)
        if not leave:
            out.print("\n  Still serving. Ctrl-C stops everything.")
            while all(process.poll() is None for process in stage.processes.values()):
                time.sleep(0.5)
    except (StageFailed, api.CallFailed) as failed:
        out.print(f"\n[bold red]{failed}[/]")
        return 1
    except KeyboardInterrupt:
        out.print("\n  Stopping.")
        return 0
    else:
        return 0 if same else 1
    finally:
        stage.stop()


if __name__ == "__main__":
    sys.exit(main())
