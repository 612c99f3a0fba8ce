import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.http import strict_json

REFUSED = [
    (b"{", "json_invalid"),
    (b"\xff", "json_invalid"),
    (b'{"a": 1, "a": 2}', "json_duplicate_key"),
    (b'{"a": {"b": 1, "b": 1}}', "json_duplicate_key"),
    (b"[NaN]", "json_number_not_finite"),
    (b"[Infinity]", "json_number_not_finite"),
    (b"[1e999]", "json_number_not_finite"),
    (b'["\\u0000"]', "json_nul_character"),
    (b'{"\\u0000": 1}', "json_nul_character"),
    (b'["\\ud800"]', "json_lone_surrogate"),
    (b"[9223372036854775808]", "json_integer_too_large"),
    (b"[-9223372036854775809]", "json_integer_too_large"),
    (b"[" * 33 + b"]" * 33, "json_too_deep"),
    (b"[" * 100_000 + b"]" * 100_000, "json_too_deep"),
    (b"[" * 100_000, "json_too_deep"),
]


@pytest.mark.parametrize(("raw", "code"), REFUSED, ids=[f"{r[:24]!r}" for r, _ in REFUSED])
def test_refuses(raw: bytes, code: str) -> None:
    with pytest.raises(strict_json.JsonRefused) as refused:
        strict_json.loads(raw)
    assert refused.value.code == code


def test_accepts_what_is_just_inside() -> None:
    assert strict_json.loads(b"[" * 32 + b"]" * 32)
    assert strict_json.loads(b"[9223372036854775807, -9223372036854775808]")
    assert strict_json.loads('["童护 \\ud83d\\ude00"]'.encode()) == ["童护 😀"]


@given(st.binary(max_size=200))
def test_never_fails_otherwise(raw: bytes) -> None:
    with contextlib.suppress(strict_json.JsonRefused):
        strict_json.loads(raw)
