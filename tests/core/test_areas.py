"""What packages say of themselves: nothing twice, and personal data unless it is denied."""

import pytest

from app.core import areas
from app.core.areas import DeclaredTwice, NothingSaid
from app.visits.area import AREA, READ


def test_a_scope_opens_personal_data_unless_that_is_denied() -> None:
    assert READ.personal
    assert not READ.never_waits


def test_nothing_is_declared_twice() -> None:
    with pytest.raises(DeclaredTwice, match="Visits"):
        areas.area("Visits", chapter=99, zh="走访", en="Visits", lane=areas.Lane.people)
    with pytest.raises(DeclaredTwice, match="visits:read"):
        AREA.scope("visits:read", zh="走访", en="Visits")
    with pytest.raises(DeclaredTwice, match="Outings: chapter 6 is "):
        areas.area("Outings", chapter=6, zh="出行", en="Outings", lane=areas.Lane.people)


def test_words_are_in_both_languages() -> None:
    with pytest.raises(NothingSaid, match="Outings needs words in zh and en"):
        areas.area("Outings", chapter=99, zh=" ", en="Outings", lane=areas.Lane.people)
    with pytest.raises(NothingSaid, match="visits:plan needs words in zh and en"):
        AREA.scope("visits:plan", zh="", en="Plan visits")
