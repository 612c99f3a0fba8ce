"""Figures that lie in the database, for Prometheus: each is declared beside the rows it is about.

Any process answers for all of them, for what it says is in the database. They are asked for every
few seconds, also when all is at its worst: what a figure reads must not grow with what is wrong.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from app.core.data.db import Tx

Sample = tuple[tuple[str, ...], float]
"""The labels' values, and the figure."""
Read = Callable[[Tx], Awaitable[Iterable[Sample]]]


@dataclass(frozen=True, slots=True)
class DatabaseGauge:
    """One figure. `labels`: codes, names of jobs and ids of endpoints; never a person's data.
    `keep`: for how many seconds a process tells it again before it asks anew.
    """

    told: str
    labels: tuple[str, ...]
    read: Read
    keep: float


GAUGES: Final[dict[str, DatabaseGauge]] = {}


def gauge(name: str, told: str, *labels: str, keep: float = 0.0) -> Callable[[Read], Read]:
    """Register `async def read(tx)`, which returns samples. It sees what SYSTEM sees, and has a
    second.
    """

    def register(read: Read) -> Read:
        if name in GAUGES:
            raise ValueError(f"{name} is told twice")
        GAUGES[name] = DatabaseGauge(told, labels, read, keep)
        return read

    return register
