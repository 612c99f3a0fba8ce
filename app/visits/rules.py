"""What is doubtful about the days a visit names. Pure; nothing of it refuses a visit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from app.core.clock import local_date

Doubt = Literal["date_ahead", "start_on_another_day", "before_birth"]


def takes_away(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether of some findings an abnormal one is gone, or speaks of less than it did."""
    return any((_abnormal(before) - _abnormal(after)).values())


def _abnormal(findings: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, ...]]:
    """Count what is abnormal, and to whom each is referred."""
    return Counter(
        (str(each["domain"]), str(each["type"]), str(to))
        for each in findings
        if each["abnormal"]
        for to in ("", *each["refer_to"])
    )


def doubts(
    visited_on: date, started_at: datetime | None, birth_date: date | None, received_at: datetime
) -> list[Doubt]:
    """Return what a visit's days contradict: `date_ahead` the day it was received on (a phone's
    clock ran ahead), `start_on_another_day` its own beginning, `before_birth` the child's date of
    birth, which may be the wrong one. `birth_date`: None if it is not the reader's to know.
    """
    found: dict[Doubt, bool] = {
        "date_ahead": visited_on > local_date(received_at),
        "start_on_another_day": started_at is not None and local_date(started_at) != visited_on,
        "before_birth": birth_date is not None and visited_on < birth_date,
    }
    return [doubt for doubt, holds in found.items() if holds]
