"""What is read as plain JSON has nothing in it that the strict reading refuses (IN-2)."""

import pytest

from app.core.http import strict_json

PLAIN = [
    b'{"a":1,"b":[{"a":true,"c":null}],"d":"\xe7\x82\xb9"}',
    b'{"a": 1,\n "b": {"c": "x: y"}}',
    b"[]",
    b'"a"',
    b"9223372036854775807",
    b"[" * 32 + b"]" * 32,
]
TO_BE_READ_STRICTLY = [
    b'{"a":1,"a":1}',
    b'{"a":1,"b":{"c":1,"c":2}}',
    b'{"a" :1,"a":1}',
    b'{"a"\n:1,"a":1}',
    b'{"a"\r:1,"a":1}',
    b'{"a"\t:1,"a":1}',
    b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}',
    b'{"a":NaN}',
    b'{"a":1e999}',
    b'{"a":1.5}',
    b'{"a":9223372036854775808}',
    b'{"a":-9223372036854775809}',
    b'{"a":123456789012345678901234567890}',
    b'{"a":":"}',
    b"[" * 33 + b"]" * 33,
    b'{"a":\xff}',
    b'\xef\xbb\xbf{"a":1}',
    b"",
    b"{",
]


@pytest.mark.parametrize("raw", PLAIN)
def test_what_is_plain_is_read_the_same(raw: bytes) -> None:
    assert strict_json.plain(raw) == strict_json.loads(raw)


@pytest.mark.parametrize("raw", TO_BE_READ_STRICTLY)
def test_all_else_is_read_strictly(raw: bytes) -> None:
    assert strict_json.plain(raw) is strict_json.UNSURE
