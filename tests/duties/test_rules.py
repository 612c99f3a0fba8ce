"""The calendar and the rule data, without a database."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.access.roles import UnknownRole
from app.duties import rules
from app.duties.rules import BadPeriod, BadRule, quarter, quarter_of

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
    assert rules.rules()[code].due_at(AT, JIZHOU) == due


def test_a_deadline_the_event_names_wins() -> None:
    data = {"acknowledge_due_at": "2026-11-20T02:10:00Z"}
    due = rules.rules()["REP-07"].due_at(AT, JIZHOU, data)
    assert due == AT + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("VIS-01", date(2026, 10, 1)),
        ("VIS-03", date(2026, 11, 21)),
        ("EDU-04", date(2026, 11, 20)),
    ],
)
def test_deeds_count_from(code, first) -> None:
    assert rules.rules()[code].counts_from(date(2026, 11, 20)) == first


@pytest.mark.parametrize(
    ("channel", "visitor", "counts"),
    [
        ("in_person", "child_director", True),
        ("phone", "child_director", False),
        ("in_person", "teacher", False),
    ],
)
def test_only_the_directors_visit_on_site_counts(channel, visitor, counts) -> None:
    evidence = rules.rules()["VIS-01"].evidence
    assert evidence.counts({"channel": channel, "visitor_type": visitor}) is counts


def test_who_sees_what() -> None:
    assert rules.rules_seen_by("village_director") == ["VIS-01", "VIS-03"]
    assert rules.rules_seen_by("education_authority") == ["EDU-04"]
    assert rules.rules_seen_by("township_supervisor") == list(rules.rules())
    assert rules.rules_seen_by("police") == []


GOOD = {
    "title": {"zh": "测", "en": "test"},
    "carries": ["VIS-01"],
    "bearer": {"role": "village_director"},
    "opens": {"event": "some.thing"},
    "due": {"within": "P1DT2H3M", "source": "test"},
    "evidence": {"event": "some.deed", "match": "subject_id", "counts_from": "same_day"},
    "seen_by": ["civil_affairs"],
    "escalates_to": ["civil_affairs"],
}


def test_reads_a_rule() -> None:
    rule = rules.rule_of("X-01", GOOD)
    assert rule.within == timedelta(days=1, hours=2, minutes=3)
    assert rule.listens_to == {"some.thing", "some.deed"}


@pytest.mark.parametrize(
    "change",
    [
        {"due": {"within": "P3D"}},
        {"due": {"within": "3 days", "source": "test"}},
        {"due": {"within": "P", "source": "test"}},
        {"due": {"within": "P3D", "parameter": "x", "source": "test"}},
        {"due": {}},
        {"due": {"at": "end_of_period"}},
        {"opens": {"every": "quarter", "also_on": [], "event": "some.thing"}},
        {"opens": {"every": "year", "also_on": []}},
    ],
)
def test_refuses_a_rule_that_contradicts_itself(change) -> None:
    with pytest.raises(BadRule):
        rules.rule_of("X-01", {**GOOD, **change})


def test_refuses_a_role_that_does_not_exist() -> None:
    with pytest.raises(UnknownRole):
        rules.rule_of("X-01", {**GOOD, "seen_by": ["mayor"]})
