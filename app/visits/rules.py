"""What is doubtful about the days a visit names. Pure; nothing of it refuses a visit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal

from app.core.clock import local_date

Doubt = Literal[
    "date_ahead",
    "start_on_another_day",
    "before_birth",
    "recorded_ahead",
    "recorded_before",
    "field_unread",
    "id_in_use",
]

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far clocks may lie apart before one of them is doubted."""


def takes_away(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether of some findings an abnormal one is gone, or speaks of less than it did."""
    return any((_abnormal(before) - _abnormal(after)).values())


def adds(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether some findings say of anything abnormal, or to whom it is referred, what those
    before did not.
    """
    return takes_away(after, before)


def _abnormal(findings: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, ...]]:
    """Count what is abnormal, and to whom each is referred."""
    return Counter(
        (str(each["domain"]), str(each["type"]), str(to))
        for each in findings
        if each["abnormal"]
        for to in ("", *each["refer_to"])
    )


def not_looked_at(
    left: Iterable[Mapping[str, Any]], findings: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return what of some abnormal findings others say nothing of: neither of that part of the
    child's life, well or not, nor of that kind elsewhere (VIS-03).
    """
    seen = [{name: str(each[name]) for name in ("domain", "type")} for each in findings]
    domains, types = ({each[name] for each in seen} for name in ("domain", "type"))
    return [
        each
        for each in left
        if str(each["domain"]) not in domains and str(each["type"]) not in types
    ]


def domains(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the parts of a child's life in which something abnormal was found, each once."""
    return sorted({str(each["domain"]) for each in findings if each["abnormal"]})


def doubts(visit: Mapping[str, Any], unread: Mapping[str, Any] | None) -> list[Doubt]:
    """Return what is doubtful about a visit, by its row: `date_ahead` of the day it was received on
    (a phone's clock ran ahead), `start_on_another_day`, `before_birth` of the child, which may be
    the wrong one (its `birth_date` is None if it is not the reader's to know); `recorded_ahead` of
    when it was received, `recorded_before` the day of the visit; `field_unread` (`unread`: what
    was sent and could not be read, by field), `id_in_use` by another visit.
    """
    visited_on, received_at = visit["visited_on"], visit["received_at"]
    started_at, recorded_at = visit["started_at"], visit["recorded_at"]
    birth_date = visit["birth_date"]
    fields = {*(unread or ())}
    found: dict[Doubt, bool] = {
        "date_ahead": visited_on > local_date(received_at),
        "start_on_another_day": started_at is not None and local_date(started_at) != visited_on,
        "before_birth": birth_date is not None and visited_on < birth_date,
        "recorded_ahead": recorded_at is not None and recorded_at > received_at + CLOCK_SKEW,
        "recorded_before": recorded_at is not None and local_date(recorded_at) < visited_on,
        "field_unread": bool(fields - {"id"}),
        "id_in_use": "id" in fields,
    }
    return [doubt for doubt, holds in found.items() if holds]
