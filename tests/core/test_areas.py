"""What packages say of themselves: nothing twice, and personal data unless it is denied."""

import pytest

from app.core import areas
from app.core.areas import DeclaredTwice
from app.visits.area import AREA, READ


def test_a_scope_opens_personal_data_unless_that_is_denied() -> None:
    assert READ.personal
    assert not READ.never_waits


def test_nothing_is_declared_twice() -> None:
    with pytest.raises(DeclaredTwice, match="Visits"):
        areas.area("Visits", chapter=99, zh="走访", en="Visits")
    with pytest.raises(DeclaredTwice, match="visits:read"):
        AREA.scope("visits:read", zh="走访", en="Visits")
