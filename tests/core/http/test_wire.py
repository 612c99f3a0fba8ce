"""Dates and instants as they are written on the wire, and nothing like them (IN-3)."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.http import wire

DAY = TypeAdapter(wire.Day)
MOMENT = TypeAdapter(wire.Moment)


def test_a_day_is_text_or_a_date() -> None:
    assert DAY.validate_python("2026-11-20") == DAY.validate_python(date(2026, 11, 20))


@pytest.mark.parametrize(
    "wrong", ["20261120", "2026-11-20T00:00:00Z", 20261120, datetime(1, 1, 1, tzinfo=UTC), None]
)
def test_a_day_is_nothing_else(wrong) -> None:
    with pytest.raises(ValidationError, match="YYYY-MM-DD"):
        DAY.validate_python(wrong)


@pytest.mark.parametrize("text", ["2026-11-20T10:00:00+08:00", "2026-11-20t02:00:00z"])
def test_an_instant_is_kept_in_utc(text) -> None:
    assert MOMENT.validate_python(text) == datetime(2026, 11, 20, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("2026-11-20T10:00:00", "with an offset"),
        ("2026-11-20", "with an offset"),
        (datetime(2026, 11, 20), "with an offset"),  # noqa: DTZ001  that is what is tried
        (1_795_140_000, "as RFC 3339 text"),
        ("0001-01-01T00:00:00+08:00", "out of range"),
    ],
)
def test_an_instant_is_nothing_else(wrong, said) -> None:
    with pytest.raises(ValidationError, match=said):
        MOMENT.validate_python(wrong)
