"""Every family of the table has what its sentence says, and no more."""

import pytest

from scripts.families import Family, families

FAMILIES = families()


def test_they_are_many_and_of_many_places() -> None:
    assert len(FAMILIES) >= 80
    assert len({family.region for family in FAMILIES}) >= 4


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.region}: {f.says} [{f.source}]")
def test_what_follows_is_what_the_sentence_says(family: Family) -> None:
    found, then = family.derived(), family.then
    assert {
        "categories": set(found.categories),
        "flags": set(found.priority_flags),
        "undecided": set(found.undecided),
        "uncounted": set(found.categories) - set(found.counted),
    } == {key: set(then.get(key, ())) for key in ("categories", "flags", "undecided", "uncounted")}
