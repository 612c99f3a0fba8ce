"""Days as people and systems write them. Pure."""

import re
from datetime import date, datetime
from typing import Any, Final

from app.core.clock import local_date
from app.core.text import canonical_number

_DAY: Final = re.compile(
    r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})[日号]?|(\d\d)(\d\d))"
    r"(?:[Tt](\d{1,2}):?(\d\d)(?::?\d\d(?:[.,]\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?"
)
"""A day, and perhaps the hour and minute of it and how far that clock is from UTC."""


def read_day(said: Any) -> date | None:
    """Return the day, in China, of what reads in one way only: the year first, and separators in
    both places or eight digits. None of all else. A time without an offset is a Chinese clock's.
    """
    if not isinstance(said, str | int):
        return None
    text = re.sub(r"(?<=[\d日号])\s+(?=\d)", "T", str(said).strip())
    found = _DAY.fullmatch(canonical_number(text))
    if found is None:
        return None
    year, month, day, hour, minute, offset = (
        found[1],
        found[2] or found[4],
        found[3] or found[5],
        found[6] or "00",
        found[7] or "00",
        (found[8] or "").upper(),
    )
    try:
        read = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}{offset}")
    except ValueError:
        return None
    return read.date() if read.tzinfo is None else local_date(read)
