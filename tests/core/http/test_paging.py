import base64
import contextlib
from datetime import date
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.http import paging

A_UUID = UUID("0198a1b2-0000-7000-8000-000000000001")


def test_gives_back_what_went_in() -> None:
    cursor = paging.encode([120119101200, A_UUID, date(2026, 1, 2)])
    assert paging.decode(cursor, [int, UUID, date]) == (120119101200, A_UUID, date(2026, 1, 2))
    assert paging.decode(None, [int]) is None


def test_a_list_in_memory_is_cut_into_pages_the_last_of_which_has_no_cursor() -> None:
    items = ["a", "b", "c", "d"]
    first = paging.cut(items, paging.Window(2), str)
    assert (first.rows, first.next_cursor is None) == (["a", "b"], False)
    last = paging.cut(items, paging.Window(2, first.next_cursor), str)
    assert (last.rows, last.next_cursor) == (["c", "d"], None)


FORGED = [[], [1, 2], ["x"], [True], [2**70], [1.5], {"a": 1}, None, "text"]


@pytest.mark.parametrize("value", FORGED, ids=str)
def test_refuses_another_shape(value: object) -> None:
    raw = repr(value).encode() if value == [2**70] else orjson.dumps(value)
    with pytest.raises(paging.CursorInvalid):
        paging.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), [int])


@given(st.text(alphabet="ABCabc019_-", max_size=40))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(paging.CursorInvalid):
        assert paging.decode(text, [int, UUID])
