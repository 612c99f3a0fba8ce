"""Which of the web processes of one `tonghu serve` this is, and the memory that they share."""

from dataclasses import dataclass
from mmap import mmap


class ProcessesDie(Exception):
    """Web processes end before they serve, again and again."""


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
