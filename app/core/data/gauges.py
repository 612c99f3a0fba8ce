"""Figures that lie in the database, for Prometheus: each is declared beside the rows it is about.

Any process answers for all of them, for what it says is in the database. They are asked for every
few seconds, also when all is at its worst: what a figure reads must not grow with what is wrong.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from app.core.data.db import Tx

Sample = tuple[tuple[str, ...], float]
"""The labels' values, and the figure."""
Read = Callable[[Tx], Awaitable[Iterable[Sample]]]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class DatabaseGauge:
    """One figure. `labels`: codes, names of jobs and ids of endpoints; never a person's data.
    `keep`: for how many seconds a process tells it again before it asks anew. `of`: what was read
    says it; figures of one `read` are read together.
    """

    told: str
    labels: tuple[str, ...]
    read: Callable[[Tx], Awaitable[Any]]
    keep: float
    of: Callable[[Any], Iterable[Sample]] = list


GAUGES: Final[dict[str, DatabaseGauge]] = {}


def gauge(name: str, told: str, *labels: str, keep: float = 0.0) -> Callable[[Read], Read]:
    """Register `async def read(tx)`, which returns samples. It sees what SYSTEM sees, and has a
    second.
    """

    def register(read: Read) -> Read:
        _add(name, DatabaseGauge(told, labels, read, keep))
        return read

    return register


def gauge_of(
    read: Callable[[Tx], Awaitable[Found]], name: str, told: str, *labels: str
) -> Callable[[Callable[[Found], Iterable[Sample]]], Callable[[Found], Iterable[Sample]]]:
    """Register `def of(found)`, which returns samples of what is read once for several figures."""

    def register(of: Callable[[Found], Iterable[Sample]]) -> Callable[[Found], Iterable[Sample]]:
        _add(name, DatabaseGauge(told, labels, read, 0.0, of))
        return of

    return register


def _add(name: str, figure: DatabaseGauge) -> None:
    if name in GAUGES:
        raise ValueError(f"{name} is told twice")
    GAUGES[name] = figure
