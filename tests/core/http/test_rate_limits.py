from datetime import UTC, datetime, timedelta

import pytest

from app.core.http import rate_limits
from app.core.http.rate_limits import RateLimited, RateLimits, network_of

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_a_burst_is_allowed_then_refused_then_refills() -> None:
    limits = RateLimits(per_second=2, burst=3)
    assert dict(limits.spend("a", NOON))[b"ratelimit"] == b'"default";r=2;t=1'
    limits.spend("a", NOON)
    limits.spend("a", NOON)
    with pytest.raises(RateLimited) as refused:
        limits.spend("a", NOON)
    assert refused.value.headers["retry-after"] == "1"
    assert refused.value.headers["ratelimit-policy"] == '"default";q=3;w=2'
    limits.spend("a", NOON + timedelta(seconds=0.5))
    rested = NOON + timedelta(days=1)  # saves up no more than a burst
    assert dict(limits.spend("a", rested))[b"ratelimit"] == b'"default";r=2;t=1'


def test_of_addresses_a_caller_may_choose_from_all_are_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8:0:0:ffff::9") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("a socket") == "a socket"


def test_callers_do_not_share() -> None:
    limits = RateLimits(per_second=0.001, burst=1)
    limits.spend("a", NOON)
    limits.spend("b", NOON)
    with pytest.raises(RateLimited) as refused:
        limits.spend("a", NOON)
    assert refused.value.headers["retry-after"] == "1000"


def test_nobody_can_choose_whom_to_share_a_bucket_with() -> None:
    """Where a key lies is another place each time the service starts."""
    keys = [str(number) for number in range(10)]
    one, other = (RateLimits(per_second=1, burst=1) for _ in range(2))
    assert [*map(one._cell, keys)] != [*map(other._cell, keys)]


def test_only_who_meets_another_in_one_cell_gets_less(monkeypatch) -> None:
    monkeypatch.setattr(rate_limits, "_CELLS", 1)
    limits = RateLimits(per_second=1, burst=2)
    limits.spend("a", NOON)
    assert dict(limits.spend("b", NOON))[b"ratelimit"] == b'"default";r=0;t=2'
    with pytest.raises(RateLimited):
        limits.spend("a", NOON)


def test_a_clock_set_back_stops_nobody() -> None:
    """What was spent by the time of before says nothing: all begin afresh, and are counted on."""
    limits = RateLimits(per_second=1, burst=1)
    limits.spend("a", NOON)
    before = NOON - timedelta(hours=1)
    limits.spend("a", before)
    with pytest.raises(RateLimited) as refused:
        limits.spend("a", before)
    assert refused.value.headers["retry-after"] == "1"
    limits.spend("a", before + timedelta(seconds=1))
