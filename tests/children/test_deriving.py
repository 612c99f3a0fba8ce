"""What follows from a file where something of it is said twice, or not at all."""

from dataclasses import replace
from uuid import UUID

import pytest

from app.access.roles import role
from app.children import derivation, listing
from app.children.rules import derive, policy_of
from app.children.sections import File
from tests.children.factories import everywhere
from tests.children.test_rules import (
    HEPING,
    NATION_LIKE,
    TODAY,
    VALUES,
    both,
    categories,
    derived,
    facts,
    parent,
)
from tests.children.test_staying_behind import MASKED


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_say_the_same_the_one_that_has_held_longer_counts(order: int) -> None:
    twice = [{"status": "away", "since": since} for since in ("2026-01-01", "2026-11-01")]
    family = {"parents": [parent("father", *twice[::order]), parent("mother", *twice)]}
    assert "left_behind" in categories(facts(HEPING, family=family)), "连续外出三个月以上"


def test_whether_it_stayed_is_open_while_nobody_says_when_its_parents_left() -> None:
    gone = {"status": "away", "since": None}
    family = {"parents": [parent("father", gone), parent("mother", gone)]}
    came = {"lives_with": ["grandparents"], "rural_place": True, "rural_since": "2020-03-01"}
    found = derived(facts(MASKED, family=family, residence=came))
    assert "left_behind" in found.undecided
    assert "left_behind" not in found.categories


def test_orphans_are_of_the_age_that_policy_names() -> None:
    policy = policy_of(VALUES, NATION_LIKE, TODAY)
    until = {**policy, "orphan.rule": {**policy["orphan.rule"], "age_limit": 10}}
    child = facts(family=both("dead", "dead"))
    assert [derive(child, each, TODAY).categories[:1] for each in (policy, until)] == [
        ("orphan",),
        (),
    ]


def test_nothing_is_derived_of_a_file_that_was_not_checked() -> None:
    with pytest.raises(ValueError, match="without a birth date"):
        derivation.derive(File(), NATION_LIKE, TODAY)


def test_what_a_role_does_not_read_is_in_no_list() -> None:
    row = {"id": UUID(int=1), "version": 1, "updated_at": None}
    shown = listing.summary(None, replace(everywhere(), role=role("police")), row, [])
    assert shown == {**row, "permitted": []}
