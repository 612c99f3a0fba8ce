"""On which day a file says something else by the calendar alone."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.children import derivation
from app.children.day import Day, birthday, first_yearly, months_after
from app.children.rules import Derived, Facts, age_on, derive, policy_of
from app.children.sections import File
from app.children.told import Told
from app.core.ids import new_id
from app.policy.rules import ParameterValue, changes_after
from tests.children.test_rules import (
    HEPING,
    LINXIANG,
    NATION_LIKE,
    SHANXI,
    TODAY,
    VALUES,
    both,
    facts,
)
from tests.children.test_staying_behind import MASKED

NEAR = 100
LONG = 130
near = st.integers(-NEAR, NEAR).map(lambda days: TODAY + timedelta(days=days))
ended = st.none() | near
past = near | st.builds(
    lambda months, days: months_after(date(2020, 11, 20), 72 - months) + timedelta(days=days),
    st.sampled_from([1, 3, 6, 12, 36]),
    st.integers(-NEAR, NEAR),
)
born = st.builds(
    lambda years, days: date(2026 - years, 11, 20) + timedelta(days=days),
    st.sampled_from([0, 6, 8, 12, 14, 15, 16, 17, 18]),
    st.integers(-NEAR, NEAR),
)
STATUSES = (
    *("at_home", "away", "dead", "missing", "not_found", "lost_contact", "left_home"),
    *("imprisoned", "drug_rehabilitation", "serious_illness", "unidentified", "unknown"),
)
status = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES), "since": st.none() | past, "until": ended},
    optional={"term_months": st.sampled_from([1, 6, 36])},
)
parents = st.lists(status, max_size=4).flatmap(
    lambda first: st.lists(status, max_size=4).map(
        lambda second: {
            "parents": [
                {"role": role, "work_region": "440300000000", "statuses": statuses}
                for role, statuses in (("father", first), ("mother", second))
            ]
        }
    )
)
hardship = st.fixed_dictionaries(
    {"kind": st.just("other"), "since": near, "review_on": near, "until": ended}
)
told = st.builds(
    Told,
    kind=st.sampled_from(["out_of_school", "harmed"]),
    since=near,
    until=ended,
    source_id=st.just(new_id()),
    stated_by=st.none(),
)
files = st.builds(
    lambda region, told, sections: replace(facts(region, **sections), told=tuple(told)),
    st.sampled_from([NATION_LIKE, SHANXI, HEPING, MASKED, LINXIANG]),
    st.lists(told, max_size=2),
    st.fixed_dictionaries(
        {
            "birth_date": born,
            "family": parents,
            "welfare": st.lists(hardship, max_size=2).map(
                lambda each: {"poor": False, "hardships": each}
            ),
            "education": st.sampled_from(
                [{}, {"status": "not_in_school"}, {"status": "enrolled"}, {"stage": "vocational"}]
            ),
            "residence": st.sampled_from(
                [
                    {"lives_with": ["alone"], "rural_place": True, "rural_since": "2016-03-01"},
                    {"lives_with": ["grandparents"], "rural_place": True},
                ]
            ),
            "adoption": near.map(lambda day: {"adopted_on": day, "adopted_by": "one"})
            | st.just({}),
            "guardianship": st.booleans().map(
                lambda left: {"kind": "grandparents", "left_unwatched": left}
            ),
        }
    ),
)


def of_day(child: Facts, on: date) -> Derived:
    return derive(child, policy_of(VALUES, child.region_code, on), on)


def said(found: Derived) -> Derived:
    return replace(found, next_change_on=None)


@settings(max_examples=60, deadline=None)
@given(files)
def test_until_the_day_that_was_named_nothing_changes(child: Facts) -> None:
    found = of_day(child, TODAY)
    for days in range(1, LONG):
        day = TODAY + timedelta(days=days)
        if found.next_change_on is not None and day >= found.next_change_on:
            found = of_day(child, day)
            assert found.next_change_on is None or found.next_change_on > day
        else:
            assert said(of_day(child, day)) == said(found), day


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, date(2032, 3, 1)),  # 16, of the age limit
        ({"birth_date": date(2009, 3, 1)}, date(2027, 3, 1)),  # grown up
        ({"birth_date": date(2021, 3, 1)}, date(2027, 3, 1)),  # whose file names a school
        ({"birth_date": date(2008, 11, 20)}, None),
        ({"family": both("at_home", "at_home"), "birth_date": date(2016, 3, 1)}, date(2032, 3, 1)),
    ],
)
def test_the_day_is_the_next_on_which_a_rule_may_answer_otherwise(
    given: dict[str, Any], on: date | None
) -> None:
    assert of_day(facts(**given), TODAY).next_change_on == on


def test_what_lasts_for_so_many_months_lasts_so_long_on_that_day() -> None:
    long = {"status": "lost_contact", "since": "2026-07-15"}
    family = {"parents": [{"role": "father", "statuses": [long]}]}
    found = of_day(facts(family=family), TODAY)
    assert found.next_change_on == date(2027, 1, 15)


@pytest.mark.parametrize("born", [date(2008, 2, 29), date(2010, 8, 31), date(2020, 2, 28)])
def test_a_birthday_is_the_day_from_which_on_one_is_so_old(born: date) -> None:
    for years in range(19):
        day = birthday(born, years)
        assert age_on(born, day) == years
        assert years == 0 or age_on(born, day - timedelta(days=1)) == years - 1


@pytest.mark.parametrize(
    ("since", "months", "day"),
    [
        (date(2026, 1, 31), 1, date(2026, 3, 1)),
        (date(2026, 1, 28), 1, date(2026, 2, 28)),
        (date(2026, 10, 31), 1, date(2026, 12, 1)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2026, 11, 30), 0, date(2026, 11, 30)),
        (date(9999, 6, 1), 12, date.max),
    ],
)
def test_months_are_completed_when_the_day_comes_round(since: date, months: int, day: date) -> None:
    assert months_after(since, months) == day


def test_the_first_such_day_of_a_year_is_not_before_another() -> None:
    days = [first_yearly(8, 31, since=date(2026, 8, day)) for day in (30, 31)]
    assert days == [date(2026, 8, 31)] * 2
    assert first_yearly(8, 31, since=date(2026, 9, 1)) == date(2027, 8, 31)


def test_what_has_no_end_is_not_over() -> None:
    on = Day(TODAY)
    assert (on.is_over(date.max), on.within(None, None), on.changes_on) == (False, True, None)


PLACES = (NATION_LIKE, SHANXI)


def _file(born: str) -> File:
    return File.model_validate({"identity": {"birth_date": born}})


def test_the_day_of_another_policy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    until, since = date(2026, 12, 31), date(2027, 1, 1)
    kept = [value for value in VALUES if value.name != "lbc.age_limit"]
    values = (
        *kept,
        ParameterValue("lbc.age_limit", 0, date(2016, 1, 1), until, 16, "-"),
        ParameterValue("lbc.age_limit", 0, since, None, 18, "-"),
        ParameterValue("lbc.age_limit", SHANXI, date(2026, 12, 1), None, 17, "-"),
    )
    monkeypatch.setattr(derivation.policy, "values", lambda: values)
    derivation._policy_changes_on.cache_clear()
    derivation.policy_on.cache_clear()
    found = {place: derivation.derive(_file("2016-03-01"), place, TODAY) for place in PLACES}
    grown = derivation.derive(_file("2000-03-01"), SHANXI, TODAY)
    derivation._policy_changes_on.cache_clear()
    derivation.policy_on.cache_clear()
    assert {place: each.next_change_on for place, each in found.items()} == {
        NATION_LIKE: since,
        SHANXI: date(2026, 12, 1),
    }
    assert grown.next_change_on is None
    assert changes_after(values, ("orphan.rule",), SHANXI, date(2027, 1, 1)) is None
