"""What the audit keeps of an answer, and how it is written."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel

from app.core.http.shown import Seen, Shown, json_of

ONE, TWO, NAMED = UUID(int=1), UUID(int=2), UUID(int=9)
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


class Told(BaseModel):
    at: datetime


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


@pytest.mark.parametrize("value", [Told(at=NOON), {"at": NOON}, b'{"at":"2026-11-20T04:00:00Z"}'])
def test_an_instant_is_written_in_utc_with_a_z_whatever_holds_it(value) -> None:
    assert json_of(value) == b'{"at":"2026-11-20T04:00:00Z"}'
    if not isinstance(value, bytes):
        assert json_of({"items": [value]}) == b'{"items":[{"at":"2026-11-20T04:00:00Z"}]}'
