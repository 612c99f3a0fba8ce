"""The folder for what is thrown away again: memory if there is enough, else a disk that serves."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache"
MEMORY = Path("/dev/shm")  # noqa: S108  only ever written below folders made for one owner
MIB = 1024 * 1024
NEEDED = 512 * MIB
"""The databases of one run of the tests at their largest, twice over."""


class NowhereToWrite(Exception):
    """No folder serves; the text says why not, for each."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder with room. `passed_over`: why those that would have been better do not serve."""

    folder: Path
    free: int
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = "".join(f"; {reason}" for reason in self.passed_over)
        return f"databases in {self.folder} ({self.free // MIB} MiB free{why})"


def choose(needed: int = NEEDED, *, durable: bool = False) -> Scratch:
    """Find the first of memory (unless `durable`), TMPDIR and the checkout's .cache that serves."""
    places = [Path(os.environ.get("TMPDIR", "/tmp")), CACHE]  # noqa: S108
    reasons: list[str] = []
    for place in places if durable else [MEMORY, *places]:
        try:
            free = _free(place)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
            continue
        if free >= needed:
            return Scratch(place, free, tuple(reasons))
        reasons.append(f"{place}: {free // MIB} MiB free, {needed // MIB} needed")
    raise NowhereToWrite(f"Set TMPDIR to a folder to write in. {'; '.join(reasons)}")


def _free(place: Path) -> int:
    """Say how many bytes may be written there; raises OSError if none may."""
    if place == CACHE:
        place.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=place):  # the mode alone does not tell: root, read-only mounts
        about = os.statvfs(place)
    return about.f_bavail * about.f_frsize
