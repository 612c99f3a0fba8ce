"""Lists in memory are cut into pages."""

from app.core.data.crypto import Keyring
from app.core.http import paging
from app.core.http.cursors import Cursors

CURSORS = Cursors(Keyring.generate(), lambda: "a list")


def test_a_list_in_memory_is_cut_into_pages_the_last_of_which_has_no_cursor() -> None:
    items = ["a", "b", "c", "d"]
    first = paging.cut(items, paging.Window(CURSORS, 2), str)
    assert (first.rows, first.next_cursor is None) == (["a", "b"], False)
    last = paging.cut(items, paging.Window(CURSORS, 2, first.next_cursor), str)
    assert (last.rows, last.next_cursor) == (["c", "d"], None)
