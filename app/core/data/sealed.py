"""Which columns hold what is sealed, declared beside the tables: under whose key, and for which
place and row. What seals anew (`resealing`) reads it; a test finds the column nobody declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.core.data.envelopes import Whose


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed columns of a table, each with the place that is authenticated.

    `row`: SQL of the row's name, as it is authenticated. `whose`: kind of key, None for the
    service's; `owner`: SQL of whose, null for the service's too. The table is `t` in both.
    `days`: rows go by themselves after so many, and are not sealed anew.
    """

    table: str
    places: Mapping[str, str]
    whose: Whose | None = None
    owner: str = "NULL::uuid"
    row: str = "t.id::text"
    days: int | None = None
    by_value: bool = False
    """Whose, each value says by itself; it is sealed anew by `resealing.IN_PLAIN`."""
    belongs: str | None = None
    """How the rows of one owner are found: a condition with `{}`; None: by `owner` itself."""


TABLES: Final[list[Sealed]] = []
"""A table stands here once for each kind of key it has columns under."""


def lasting() -> list[Sealed]:
    """Return those whose rows do not go by themselves, and say whose they are."""
    return [each for each in TABLES if each.days is None and not each.by_value]


def under_service(
    table: str, places: Mapping[str, str], *, row: str = "t.id::text", days: int | None = None
) -> None:
    """Say that columns are sealed under a data key of the file: they concern no one child."""
    TABLES.append(Sealed(table, places, row=row, days=days))


def by_value(table: str, places: Mapping[str, str], *, row: str = "t.id::text") -> None:
    """Say that columns are sealed under the key of whom the row tells of, a child or a report."""
    TABLES.append(Sealed(table, places, row=row, by_value=True))


def under(
    whose: Whose,
    table: str,
    places: Mapping[str, str],
    *,
    owner: str,
    row: str = "t.id::text",
    belongs: str | None = None,
) -> None:
    """Say that columns are sealed under the key of a child or report that the row names."""
    TABLES.append(Sealed(table, places, whose, owner, row, belongs=belongs))


def below_child(table: str, places: Mapping[str, str], *, row: str = "t.id::text") -> None:
    """Say that columns of a table below the child are sealed under the child's key."""
    under(Whose.child, table, places, owner="t.child_id", row=row)


def named(table: str, *columns: str) -> dict[str, str]:
    """Return the places of columns that are called as they are."""
    return {column: f"{table}.{column}" for column in columns}
