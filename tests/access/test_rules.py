from datetime import UTC, datetime, timedelta

import pytest

from app.access import rules

THEN = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used", "successor_used", "after", "proven", "expected"),
    [
        (None, None, 0, False, rules.Refresh.rotate),
        (THEN, None, 30, False, rules.Refresh.repeat),
        (THEN, None, 30.001, False, rules.Refresh.reuse),
        (THEN, None, 30 * 86_400, True, rules.Refresh.repeat),
        (THEN, THEN, 1, False, rules.Refresh.reuse),
        (THEN, THEN, 1, True, rules.Refresh.reuse),
    ],
)
def test_refresh_outcome(used, successor_used, after, proven, expected) -> None:
    outcome = rules.refresh_outcome(
        used_at=used,
        successor_used_at=successor_used,
        now=THEN + timedelta(seconds=after),
        proven=proven,
    )
    assert outcome is expected


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, None), (4, None), (5, 30), (6, 60), (9, 480), (10, 900), (99, 900)],
)
def test_pause_grows_to_a_quarter_of_an_hour(failures, seconds) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert rules.pause_after(failures) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_program_on_ones_own_machine_may_be_led_back_to(host) -> None:
    assert rules.redirect_uri_is_safe(f"http://{host}:8400/back")


def test_pkce_matches_the_example_of_rfc_7636() -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert rules.pkce_matches(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert not rules.pkce_matches(challenge, challenge)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "é" * 50, "a b" * 20])
def test_pkce_verifier_has_a_form(verifier) -> None:
    assert not rules.pkce_matches("x", verifier)


@pytest.mark.parametrize(
    ("factors", "two"),
    [
        (["pwd"], False),
        (["pwd", "pwd"], False),
        (["hwk", "hwk"], False),
        (["pwd", "else"], False),
        (["pwd", "otp"], True),
        (["pwd", "hwk"], True),
    ],
)
def test_two_factors_are_two_of_different_kinds(factors, two) -> None:
    expected = rules.TWO_FACTORS if two else rules.ONE_FACTOR
    assert rules.context_of(factors) == expected


def test_strangers_wait_from_the_twentieth_wrong_one() -> None:
    assert rules.pause_for_strangers(19) is None
    assert rules.pause_for_strangers(20) == timedelta(seconds=30)
