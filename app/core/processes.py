"""Which of the web processes of one `tonghu serve` this is, and the memory that they share."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from pathlib import Path


class ProcessesDie(Exception):
    """Web processes end before they serve, again and again."""


class PortTaken(Exception):
    """Somebody else listens where this process is to, or it may not listen there."""

    def __init__(self, host: str, port: int, error: OSError, advice: str) -> None:
        why = error.strerror or type(error).__name__
        super().__init__(f"Cannot listen on {host}, port {port}: {why}. {advice}")


@dataclass(slots=True)
class Place:
    """`number` counts from 0; whoever is started for a process that died has its number."""

    number: int = 0
    of: int = 1


HERE = Place()
"""Set by `app.serving` alone: `of` before anything shared is made, `number` after the fork."""


def shared(cells: int) -> memoryview:
    """Make cells of eight bytes, all 0, that each process forked from this one reads and writes.

    What nobody touches takes no memory. A cell that is cast to q or d is read and written whole: a
    reader finds the old value or the new one. Nothing else is promised.
    """
    return memoryview(mmap(-1, cells * 8))


@contextmanager
def alone(number: int) -> Iterator[None]:
    """Let no other process be in a block of this number meanwhile. The system ends it for a process
    that dies inside. Whoever calls `lockable` before the fork may use it after.
    """
    fcntl.lockf(lockable(), fcntl.LOCK_EX, 1, number)
    try:
        yield
    finally:
        fcntl.lockf(lockable(), fcntl.LOCK_UN, 1, number)


@cache
def lockable() -> int:
    """Open the nameless file whose bytes are locked."""
    descriptor, name = tempfile.mkstemp()
    Path(name).unlink()
    return descriptor
