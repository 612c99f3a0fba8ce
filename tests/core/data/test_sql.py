"""The WHERE that statements are put together from."""

import asyncpg
import pytest

from app.core.data.sql import Where, insert


def test_values_are_numbered_as_they_come() -> None:
    where = Where("a >= {} AND a < {}", 1, 9).add("b = {1} OR c = {0}", "x", "y")
    assert where.bind("z") == "$5"
    assert str(where) == "(a >= $1 AND a < $2) AND (b = $4 OR c = $3)"
    assert where.arguments == [1, 9, "x", "y", "z"]


def test_what_is_not_given_leaves_no_trace() -> None:
    where = Where("a = {}", 1).add_given({"b = {}": None, "c = {}": 0, "d = {}": False})
    assert (str(where), where.arguments) == ("(a = $1) AND (c = $2) AND (d = $3)", [1, 0, False])


def test_an_alternative_suffices_instead_of_all_so_far() -> None:
    where = Where("a = {}", 1).add("b = {}", 2).or_else("c = {0} OR d = {0}", 3).add("e = {}", 4)
    assert str(where) == "(((a = $1) AND (b = $2)) OR (c = $3 OR d = $3)) AND (e = $4)"
    assert where.arguments == [1, 2, 3, 4]


def test_what_is_checked_is_tested_for_being_true() -> None:
    where = Where("a >= {} AND a < {}", 1, 9).checked().add("id = {}", 5)
    assert str(where) == "(((a >= $1 AND a < $2)) IS TRUE) AND (id = $3)"


async def test_a_row_that_is_there_is_inserted_again_only_where_that_is_said(tx) -> None:
    row = {"name": "one", "n": 1}
    await tx.connection.execute("CREATE TEMP TABLE kept (name text PRIMARY KEY, n int)")
    assert await insert(tx.connection, "kept", row)
    assert not await insert(tx.connection, "kept", row, unless_taken=True)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with tx.connection.transaction():
            await insert(tx.connection, "kept", row)
