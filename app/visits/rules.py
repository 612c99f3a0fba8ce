"""What a visit's days may be. Pure."""

from datetime import date, datetime

from app.core.clock import local_date


def lies_in_future(visited_on: date, today: date) -> bool:
    """Tell whether a visit is said to have happened after today, in China."""
    return visited_on > today


def began_on_other_day(visited_on: date, started_at: datetime | None) -> bool:
    """Tell whether the beginning falls on another Chinese day than the visit."""
    return started_at is not None and local_date(started_at) != visited_on
