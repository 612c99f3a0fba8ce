import contextlib
import json
from typing import Any

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


def test_a_mark_of_byte_order_at_the_beginning_says_nothing() -> None:
    assert strict_json.loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    with pytest.raises(strict_json.JsonRefused):
        strict_json.loads(b'{\xef\xbb\xbf"a": 1}')


def test_accepts_what_is_just_inside() -> None:
    assert strict_json.loads(b"[" * 32 + b"]" * 32)
    assert strict_json.loads(b"[9223372036854775807, -9223372036854775808]")
    assert strict_json.loads('["童护 \\ud83d\\ude00"]'.encode()) == ["童护 😀"]


@pytest.mark.parametrize(
    ("raw", "code"), REFUSED[2:13], ids=[f"{r[:24]!r}" for r, _ in REFUSED[2:13]]
)
def test_what_is_refused_can_be_kept_and_tells_what_it_was(raw: bytes, code: str) -> None:
    replaced: dict[str, Any] = {}
    kept = strict_json.storable(strict_json.loads(raw, anything=lambda _: True), replaced)
    strict_json.check(kept, "#")
    assert replaced, code


SAID = {"narrative": "孩子独自在家, 三天没人管", "note": "小明说妈妈在深圳"}


@pytest.mark.parametrize(
    ("raw", "read", "told"),
    [
        (json.dumps(SAID, ensure_ascii=False).encode("gb18030"), SAID, {}),
        (
            '{"a": "孩子独自\u5728家'.encode()[:-1] + b'"}',
            {"a": "孩子独自在\ufffd\ufffd"},
            {"a": "U+DCAE, U+DCE5"},
        ),
        (b'{"a": "\xff\xfe"}', {"a": "\ufffd\ufffd"}, {"a": "U+DCFE, U+DCFF"}),
        (b'{"a\xff": 1, "a\xfe": 2}', {"a\ufffd": 1, "a\ufffd\ufffd": 2}, None),
        (b'{"a": "5\x80 yuan"}', {"a": "5\ufffd yuan"}, {"a": "U+DC80"}),
    ],
)
def test_bytes_that_are_no_text_refuse_no_evidence(raw, read, told) -> None:
    replaced: dict[str, object] = {}
    found = strict_json.loads(raw, evidence=True, anything=lambda _: True)
    assert strict_json.storable(found, replaced) == read
    assert told is None or replaced == told
    with pytest.raises(strict_json.JsonRefused):
        strict_json.loads(raw)


def test_of_a_key_said_twice_nothing_is_lost() -> None:
    replaced: dict[str, Any] = {}
    said = strict_json.loads(b'{"a": {"b": 1, "c": 0, "b": 2, "b": 3}}', anything=lambda _: True)
    assert strict_json.storable(said, replaced) == {"a": {"b": 3, "c": 0}}
    assert replaced == {"a.b (1)": 1, "a.b (2)": 2}


@given(st.binary(max_size=200))
def test_never_fails_otherwise(raw: bytes) -> None:
    with contextlib.suppress(strict_json.JsonRefused):
        strict_json.loads(raw)
