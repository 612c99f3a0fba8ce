"""Put faults into the code, one at a time, and see whether a test notices: `make mutants`.

What is tried is data: `targets.toml` names files, the tests that decide them and the
survivors that are accepted, `by_hand.toml` faults written by hand, `clauses.toml` parts of the
obligations' sentences taken out, which the tests must notice that the clause names. `ONLY` names
one of the files, to try all its faults instead of a sample, or `files` (a sample of each),
`by_hand`, `clauses` or a clause's id. pytest collects once; every fault is a fork of that process
with the changed code put in force. One that cannot be (the body of a class, a file of data) gets a
copy of the project and a pytest of its own.

A fault of a file that survives the tests which decide it is tried once more, against all the tests
of its package (and what `wider` names): so a list that grew old lets no fault through, and takes
time only where it did.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from _pytest.main import pytest_runtestloop as run_tests

from app.core.data import rls
from app.embedded import postgres
from app.policy import clauses
from scripts.scratch import choose
from tests import schema
from tests.mutants import faults

DATA = Path(__file__).resolve().parent
HOME = DATA.parents[1]
WORKERS = 2
TEMPLATE = "mutants_template"
SURVIVED, KILLED, NONE, TIMED_OUT = 0, 1, 90, 91


@dataclass(slots=True)
class Trial:
    """One fault and what became of it. Without `source` it is none, to see the tests pass."""

    key: str
    path: Path
    tests: Sequence[str]
    source: str | None = None
    diff: str = ""
    reason: str | None = None
    apart: bool = False
    wider: Sequence[str] = ()
    """The tests that a survivor is tried against once more."""
    limit: float = 120
    outcome: int = NONE
    seconds: float = 0


@dataclass(slots=True)
class Target:
    """A file, or the faults written by hand, and what is to be tried."""

    name: str
    trials: list[Trial]
    of: int
    stale: list[str] = field(default_factory=list)
    """Reasons whose fault is not there any more, or does not survive."""
    by_hand: bool = False
    """Whether somebody wrote the faults: one that changes nothing is a mistake."""

    @property
    def is_bad(self) -> bool:
        unexplained = (t for t in self.trials if t.outcome == SURVIVED and not t.reason)
        return bool(self.stale) or any(unexplained) or any(self.idle)

    @property
    def idle(self) -> list[Trial]:
        return [t for t in self.trials if self.by_hand and t.outcome == NONE]


def targets(only: str | None) -> Iterator[Target]:
    """Read the targets; a sample of one with too many faults, unless it is the only one."""
    data = tomllib.loads((DATA / "targets.toml").read_text())
    print(f"seed {data['seed']}, at most {data['most']} faults of a file unless ONLY names it")
    for entry in data["target"]:
        if only not in {None, "files", entry["file"]}:
            continue
        path, reasons = HOME / entry["file"], dict(entry.get("survives", {}))
        places = tuple(entry.get("places", [""]))
        found = [one for one in faults.mutants(path.read_text()) if one.place.startswith(places)]
        most = len(found) if only == entry["file"] else entry.get("most", data["most"])
        chance = random.Random(f"{data['seed']} {entry['file']}")
        chosen = {one.key for one in chance.sample(found, min(most, len(found)))} | reasons.keys()
        package = path.parts[len(HOME.parts) + 1]
        wider = [f"tests/{package}" if (HOME / "tests" / package).is_dir() else "tests/api"]
        wider += entry.get("wider", ())
        trials = [
            Trial(
                one.key,
                path,
                entry["tests"],
                one.source,
                one.diff,
                reasons.pop(one.key, None),
                wider=wider,
            )
            for one in found
            if one.key in chosen
        ]
        yield Target(entry["file"], trials, len(found), list(reasons))


def by_hand(only: str | None) -> Iterator[Target]:
    """Read the faults written by hand. A text that is not there exactly once ends it all."""
    named = {each.id: each.tests for each in clauses.load()}
    for data in ("by_hand", "clauses"):
        entries = tomllib.loads((DATA / f"{data}.toml").read_text())["fault"]
        chosen = [
            entry for entry in entries if only in {None, data, entry["file"], entry.get("clause")}
        ]
        for entry in chosen:
            if clause := entry.get("clause"):
                entry |= {"says": f"{clause} {entry['says']}", "tests": named[clause]}
        if chosen:
            yield Target(data, written(chosen), len(chosen), by_hand=True)


def written(entries: Iterable[dict[str, Any]]) -> list[Trial]:
    trials = []
    for entry in entries:
        path, gone, come = HOME / entry["file"], entry["replace"], entry["by"]
        source = path.read_text()
        if source.count(gone) != 1:
            sys.exit(f"{entry['says']}: {source.count(gone)} times in {path}")
        lines = [f"- {line}" for line in gone.splitlines()]
        diff = "\n".join(lines + [f"+ {line}" for line in come.splitlines()])
        changed = source.replace(gone, come)
        says = entry["says"]
        reason, apart = entry.get("survives"), entry.get("apart", False)
        trials.append(Trial(says, path, entry["tests"], changed, diff, reason, apart))
    return trials


@dataclass(eq=False)
class Plugin:
    """Takes pytest's loop over: instead of the tests once, the tests each fault is up against."""

    targets: list[Target]
    running: faults.Running | None = None
    seconds: dict[tuple[str, ...], float] = field(default_factory=dict)
    """How long wider tests take without a fault."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.running = faults.Running(HOME / "app")
        tests = sorted({test for trial in self.trials() for test in trial.tests})
        sound = Trial("no fault", HOME, tests, limit=3600)
        self.run(session, [sound])
        if sound.outcome != SURVIVED:
            pytest.exit("The tests fail without any fault.", 2)
        print(f"{sound.seconds:.0f} s for the tests once", flush=True)
        for target in self.targets:
            for trial in target.trials:
                trial.limit = 30 + sound.seconds / 2  # of all tests, and a trial runs some
            self.run(session, target.trials)
            self.run(session, self.once_more(session, target))
            report(target)
        return True

    def once_more(self, session: pytest.Session, target: Target) -> Iterator[Trial]:
        """Yield what survived the tests that decide it, to be tried against the wider ones; these
        must pass without a fault.
        """
        for trial in target.trials:
            if trial.outcome != SURVIVED or trial.reason or not trial.wider:
                continue
            wider = tuple(trial.wider)
            if wider not in self.seconds:
                sound = Trial("no fault", HOME, wider, limit=3600)
                self.run(session, [sound])
                if sound.outcome != SURVIVED:
                    pytest.exit(f"{wider} fail without any fault.", 2)
                self.seconds[wider] = sound.seconds
            trial.tests, trial.limit = wider, 30 + 3 * self.seconds[wider]
            yield trial

    def trials(self) -> Iterator[Trial]:
        for target in self.targets:
            yield from target.trials

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            print(report.nodeid, report.longreprtext, sep="\n", flush=True)

    def run(self, session: pytest.Session, trials: Iterable[Trial]) -> None:
        """Try several faults, some at once."""
        waiting, running = deque(trials), dict[int, tuple[Trial, float]]()
        try:
            while waiting or running:
                while waiting and len(running) < WORKERS:
                    trial = waiting.popleft()
                    pid = os.fork()
                    if not pid:
                        os._exit(attempt(session, self.running, trial))
                    running[pid] = (trial, time.monotonic())
                time.sleep(0.01)
                for pid, (trial, began) in list(running.items()):
                    if ended(pid, trial, time.monotonic() - began):
                        del running[pid]
        finally:
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)


def ended(pid: int, trial: Trial, seconds: float) -> bool:
    """Tell whether a trial is over, and what became of it; end it after its time."""
    trial.seconds = seconds
    if seconds > trial.limit:
        os.killpg(pid, signal.SIGKILL)
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        return False
    trial.outcome = TIMED_OUT if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
    if trial.source is None and trial.outcome != SURVIVED:
        print(*said_by(pid).read_text(errors="replace").splitlines()[-60:], sep="\n")
    said_by(pid).unlink(missing_ok=True)
    return True


def said_by(pid: int) -> Path:
    return Path(os.environ["MUTANTS_PLACE"]) / f"said-{pid}"


def attempt(session: pytest.Session, running: faults.Running, trial: Trial) -> int:
    """Put one fault in force in this fork and run its tests up to the first that fails."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    output = os.open(said_by(os.getpid()), os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        if trial.apart or trial.path.suffix == ".yaml":
            apart(trial)
        elif trial.source is not None:
            name = ".".join(trial.path.relative_to(HOME).with_suffix("").parts)
            running.install(trial.path, sys.modules[name], trial.source)
    except (SyntaxError, faults.SameCode):
        return NONE
    except (KeyError, faults.NotInProcess):
        apart(trial)
    except Exception:  # noqa: BLE001  a constant that cannot be evaluated: nothing would start
        return KILLED
    session.items = chosen(session.items, trial.tests)
    session.config.option.maxfail = 1
    with contextlib.suppress(BaseException):
        run_tests(session)
    with contextlib.suppress(BaseException):
        session._setupstate.teardown_exact(None)
    return KILLED if session.testsfailed else SURVIVED


def chosen(items: Sequence[pytest.Item], tests: Sequence[str]) -> list[pytest.Item]:
    """Pick the tests a list of node ids names, in that order, each once: pytest sets up no test
    that follows itself.
    """
    named = (
        item
        for name in tests
        for item in items
        if item.nodeid == name or item.nodeid.startswith((f"{name}/", f"{name}::", f"{name}["))
    )
    return list(dict.fromkeys(named))


def apart(trial: Trial) -> None:
    """Become a pytest of its own, in a copy of the project with the fault in it."""
    copy = Path(tempfile.mkdtemp(prefix="mutant-", dir=os.environ["MUTANTS_PLACE"])) / "project"
    shutil.copytree(HOME, copy, ignore=shutil.ignore_patterns(".*", "node_modules"))
    (copy / trial.path.relative_to(HOME)).write_text(trial.source or "")
    os.chdir(copy)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-xq", *OPTIONS, *trial.tests])


REWRITTEN_LATE = "ignore::pytest.PytestAssertRewriteWarning"  # we import the app before pytest does
OPTIONS = ("-p", "no:randomly", "-p", "no:cacheprovider", "--tb=native", "--hypothesis-seed=0")


def report(target: Target) -> None:
    """Print a target's figures and what is wrong with it."""
    tried = [trial for trial in target.trials if trial.outcome != NONE]
    alive = [trial for trial in tried if trial.outcome == SURVIVED]
    late = sum(trial.outcome == TIMED_OUT for trial in tried)
    seconds = sum(trial.seconds for trial in target.trials) / WORKERS
    print(
        f"{target.name:40} {target.of:4} faults {len(tried):4} tried"
        f" {len(tried) - len(alive) - late:4} killed {len(alive):3} survived {late:2} timed out"
        f" {seconds:4.0f} s",
        flush=True,
    )
    for trial in alive:
        if trial.reason is None:
            print(f"  SURVIVED {trial.key}\n    " + trial.diff.replace("\n", "\n    "), flush=True)
    for trial in target.idle:
        print(f"  CHANGES NOTHING {trial.key}", flush=True)
    target.stale += [t.key for t in target.trials if t.reason and t.outcome != SURVIVED]
    for key in target.stale:
        print(f"  NO LONGER SURVIVES, take its reason away: {key}", flush=True)


def make_from_template(superuser_url: str, name: str) -> schema.Urls:
    """Make a database as `schema.make` does, in a tenth of the time."""

    async def copy() -> None:
        connection = await asyncpg.connect(superuser_url)
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} OWNER {rls.OWNER_ROLE}'
        )
        await connection.close()

    asyncio.run(copy())
    return schema.urls_of(superuser_url, name)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up, as after Ctrl-C
    only, started = os.environ.get("ONLY") or None, time.monotonic()
    plugin = Plugin([*targets(only), *by_hand(only)])
    files = {
        test.partition("::")[0]
        for trial in plugin.trials()
        for test in (*trial.tests, *trial.wider)
    }
    if not files:
        sys.exit(f"{only} is no target of {DATA.relative_to(HOME)}")
    with tempfile.TemporaryDirectory(dir=choose().folder) as place:
        os.environ["MUTANTS_PLACE"] = os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = place
        with postgres.acquire(Path(place) / "database", throwaway=True) as lease:
            os.environ["TONGHU_TEST_SUPERUSER_URL"] = lease.server.superuser_url
            os.environ["TONGHU_MATRIX"] = "whole"
            schema.make(lease.server.superuser_url, TEMPLATE)
            schema.make = make_from_template
            arguments = ["-s", "-qq", "-W", REWRITTEN_LATE, *OPTIONS, *sorted(files)]
            if done := pytest.main(arguments, [plugin]):
                sys.exit(int(done))
    print(f"{time.monotonic() - started:.0f} s in all")
    if bad := [target.name for target in plugin.targets if target.is_bad]:
        sys.exit(f"look at: {', '.join(bad)}")
    print("every fault was noticed, or has its reason")


if __name__ == "__main__":
    main()
