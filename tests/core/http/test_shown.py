"""What the audit keeps of an answer."""

from datetime import date
from uuid import UUID

import pytest

from app.core.http.shown import Seen, Shown

ONE, TWO, NAMED = UUID(int=1), UUID(int=2), UUID(int=9)


def test_it_keeps_everybody_shown_once_and_how_far_back() -> None:
    shown = Shown({}, children=[TWO, None, ONE, TWO], groups=["health"], since=date(2026, 1, 2))
    assert shown.seen(NAMED) == Seen((ONE, TWO), ("health",), NAMED, date(2026, 1, 2))


@pytest.mark.parametrize(
    ("children", "rule", "decision"),
    [
        ([ONE], None, "allowed"),
        ([], None, "allowed"),
        ([ONE], "child-not-found", "partly"),
        ([None], "child-not-found", "denied"),
    ],
)
def test_what_a_rule_refused_is_said(children, rule, decision) -> None:
    seen = Shown({}, children=children, refused_by=rule).seen(None)
    assert (seen.decision, seen.rule) == (decision, rule)
