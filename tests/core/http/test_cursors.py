"""A cursor is its holder's, for one list; all else is refused alike."""

import base64
from datetime import UTC, date, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.data.crypto import Keyring
from app.core.http.cursors import CursorInvalid, Cursors

A_UUID = UUID("0198a1b2-0000-7000-8000-000000000001")
KEYS = Keyring.generate()
MINE = Cursors(KEYS, lambda: "list_children staff:1")


def plain(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value, default=str)).decode().rstrip("=")


def said(cursors: Cursors, cursor: str, *types: type) -> dict[str, object]:
    with pytest.raises(CursorInvalid) as refused:
        cursors.keys(cursor, *types)
    return refused.value.document(language="en", request_id=None)


def test_gives_back_what_went_in_and_shows_nothing_of_it() -> None:
    cursor = MINE.seal([120119101200, A_UUID, date(2026, 1, 2)])
    assert MINE.keys(cursor, int, UUID, date) == (120119101200, A_UUID, date(2026, 1, 2))
    seen = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert not any(part in seen for part in (b"120119", A_UUID.bytes, b"0198a1b2", b"2026"))


def test_what_is_longest_fits_a_query() -> None:
    key = (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), A_UUID)
    assert len(MINE.seal([key, key])) <= 400


def test_whatever_is_wrong_with_a_cursor_it_is_refused_alike() -> None:
    cursor = MINE.seal([1, A_UUID])
    last = "A" if cursor[-1] != "A" else "B"
    wrong = {
        "another caller": (Cursors(KEYS, lambda: "list_children staff:2"), cursor),
        "another list": (Cursors(KEYS, lambda: "list_visits staff:1"), cursor),
        "another house": (Cursors(Keyring.generate(), MINE.whose), cursor),
        "as it was in the clear": (MINE, plain([1, A_UUID])),
        "a bit turned": (MINE, cursor[:-1] + last),
        "a letter more": (MINE, cursor + "A"),
        "cut short": (MINE, cursor[:12]),
        "of a field": (MINE, base64.urlsafe_b64encode(KEYS.seal("cursor", "x", "[1]")).decode()),
        "none": (MINE, "."),
    }
    documents = {name: said(*each, int, UUID) for name, each in wrong.items()}
    assert {orjson.dumps(document) for document in documents.values()} == {
        orjson.dumps(documents["none"])
    }
    assert documents["none"]["errors"][0]["detail"] == "Start without one."


def test_a_cursor_outlives_the_key_that_made_it() -> None:
    cursor = MINE.seal([7])
    newer = Keyring(KEYS.signing, {"new1": b"k" * 32, **KEYS.data}, KEYS.index)
    assert Cursors(newer, MINE.whose).keys(cursor, int) == (7,)
    assert Cursors(newer, MINE.whose).seal([7]) != cursor


@pytest.mark.parametrize(
    "value", [[], [1, 2], ["x"], [True], [2**63], [1.5], {"a": 1}, None, "text"], ids=str
)
def test_refuses_another_shape_even_of_our_own(value: object) -> None:
    sealed = KEYS.seal_alike(f"cursor {MINE.whose()}", orjson.dumps(value))
    said(MINE, base64.urlsafe_b64encode(sealed).decode().rstrip("="), int)


@given(st.text(alphabet="ABCabc019_-", max_size=40))
def test_no_text_that_somebody_thinks_of_is_a_cursor(text: str) -> None:
    said(MINE, text, int, UUID)
