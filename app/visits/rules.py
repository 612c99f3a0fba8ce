"""What is doubtful about the days a visit names. Pure; nothing of it refuses a visit."""

from datetime import date, datetime
from typing import Literal

from app.core.clock import local_date

Doubt = Literal["date_ahead", "start_on_another_day", "before_birth"]


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
