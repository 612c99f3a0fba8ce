"""Dates and instants as they are written on the wire, and nothing like them (IN-3)."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.clock import EARLIEST, LATEST
from app.core.http import wire

DAY = TypeAdapter(wire.Day)
MOMENT = TypeAdapter(wire.Moment)
KNOWN = TypeAdapter(wire.KnownMoment)


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
    ],
)
def test_an_instant_is_nothing_else(wrong, said) -> None:
    with pytest.raises(ValidationError, match=said):
        MOMENT.validate_python(wrong)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-06-30T23:59:60Z", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T07:59:60.5+08:00", datetime(2026, 7, 1, microsecond=500_000, tzinfo=UTC)),
        ("2026-06-30t23:59:60z", datetime(2026, 7, 1, tzinfo=UTC)),
    ],
)
def test_a_leap_second_is_the_second_after_it(text, kept) -> None:
    assert MOMENT.validate_python(text) == kept


@pytest.mark.parametrize(
    "wrong", ["2026-06-30T23:59:61Z", "2026-06-30T23:59:60+08:00", "2026-06-30T12:00:60Z"]
)
def test_no_other_minute_has_sixty_one_seconds(wrong) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(wrong)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0001-01-01T00:00:00Z", EARLIEST),
        ("0001-01-01T00:00:00+08:00", EARLIEST),
        ("9999-12-31T23:59:59.9999999-08:00", LATEST),
        ("9999-12-31T23:59:60Z", LATEST),
        (datetime(1, 1, 1), EARLIEST),  # noqa: DTZ001  how PostgreSQL's infinity comes back
    ],
)
def test_an_instant_no_calendar_reaches_is_the_nearest_it_does(text, kept) -> None:
    assert MOMENT.validate_python(text) == kept
    with pytest.raises(ValidationError, match="out of range"):
        KNOWN.validate_python(text)


@pytest.mark.parametrize("blank", ["\u3000", "\u200b", " \u200b "])
def test_a_register_number_of_blanks_is_none(blank) -> None:
    with pytest.raises(ValidationError, match="The text is blank"):
        TypeAdapter(wire.RegisterNumber).validate_python(blank)
