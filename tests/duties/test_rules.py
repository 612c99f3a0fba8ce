"""The calendar and the rule data, without a database."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.duties import rulebook
from app.duties.periods import BadPeriod, quarter, quarter_of
from app.policy import queries as policy
from tests.duties.factories import TRIED

AT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
JIZHOU = 120119000000


@pytest.mark.parametrize(
    ("day", "code", "first", "last"),
    [
        (date(2026, 1, 1), "2026Q1", date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 3, 31), "2026Q1", date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 4, 1), "2026Q2", date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 9, 30), "2026Q3", date(2026, 7, 1), date(2026, 9, 30)),
        (date(2026, 12, 31), "2026Q4", date(2026, 10, 1), date(2026, 12, 31)),
    ],
)
def test_quarter_of_a_day(day, code, first, last) -> None:
    found = quarter_of(day)
    assert (found.code, found.first, found.last) == (code, first, last)
    assert quarter(code) == found


def test_a_quarter_begins_and_ends_at_midnight_in_china() -> None:
    found = quarter("2026Q4")
    assert found.begins.astimezone(UTC) == datetime(2026, 9, 30, 16, 0, tzinfo=UTC)
    assert found.ends.astimezone(UTC) == datetime(2026, 12, 31, 16, 0, tzinfo=UTC)


def test_the_first_quarters_there_are() -> None:
    assert quarter("0002Q1").first.year == 2


@pytest.mark.parametrize("code", ["2026Q5", "2026", "q4", "0001Q1", "9999Q4", "2026Q12"])
def test_no_quarter(code) -> None:
    with pytest.raises(BadPeriod):
        quarter(code)


@pytest.mark.parametrize(
    ("code", "due"),
    [
        ("VIS-01", datetime(2026, 12, 31, 16, 0, tzinfo=UTC)),
        ("VIS-03", AT + timedelta(days=3)),
        ("EDU-04", AT + timedelta(days=3)),
        ("REP-07", AT + timedelta(minutes=30)),
        ("REP-14", AT + timedelta(minutes=1440)),
    ],
)
def test_due(code, due) -> None:
    assert rulebook.rules()[code].due_at(AT, JIZHOU, policy.values()) == due


def test_a_deadline_the_event_names_wins() -> None:
    data = {"acknowledge_due_at": "2026-11-20T02:10:00Z"}
    due = rulebook.rules()["REP-07"].due_at(AT, JIZHOU, policy.values(), data)
    assert due == AT + timedelta(minutes=10)


def test_steps_come_as_long_after_it_was_due_as_the_rule_says() -> None:
    """Working days where the rule counts those: due on a Friday, 5 end on the next."""
    due = datetime(2026, 11, 20, 16, tzinfo=UTC)
    for code, days in (("VIS-01", 7), ("EDU-03", 7), ("VIS-03", 7)):
        rule = rulebook.rules()[code]
        steps = [rule.escalates_at(due, told) for told in range(3)]
        assert steps[1:] == [due + timedelta(days=days), None]
    assert rulebook.rules()["EDU-03"].escalates_at(due - timedelta(days=1), 1) == datetime(
        2026, 11, 26, 16, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("VIS-01", date(2026, 10, 1)),
        ("VIS-03", date(2026, 11, 21)),
        ("EDU-04", date(2026, 11, 20)),
    ],
)
def test_deeds_count_from(code, first) -> None:
    assert rulebook.rules()[code].counts_from(date(2026, 11, 20)) == first


@pytest.mark.parametrize(
    ("channel", "visitor", "counts"),
    [
        ("in_person", "child_director", True),
        ("phone", "child_director", False),
        ("in_person", "teacher", False),
    ],
)
def test_only_the_directors_visit_on_site_counts(channel, visitor, counts) -> None:
    evidence = rulebook.rules()["VIS-01"].evidence
    said = {"channel": channel, "visitor_type": visitor}
    assert evidence.counts({**said, "day_known": True}) is counts
    assert evidence.counts(said) is counts, "the release before says nothing of the day"
    assert not evidence.counts({**said, "day_known": False})


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("village_director", {"VIS-01", "VIS-03"}),
        ("education_authority", {"EDU-04"}),
        ("township_supervisor", {*TRIED}),
        ("police", set()),
    ],
)
def test_who_sees_what(role, seen) -> None:
    assert {*TRIED}.intersection(rulebook.rules_seen_by(role)) == seen
