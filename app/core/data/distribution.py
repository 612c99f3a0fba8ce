"""Where the rows of a table lie when one database becomes several (Citus): declared beside the
tables, as row-level security is.

Each `models.py` says of a table that its rows are spread by a column (`by`), that all of it is on
every machine (`everywhere`), or that it stays in one place (`in_one_place`). Nothing of it changes
what runs on one database; tests hold keys, foreign keys and policies to what each kind may have,
and run the product on tables that are really parted (ADR 36, docs/scale.md).
"""

from collections.abc import Collection, Mapping
from typing import Final

COUNTY: Final = "home_county"

SPREAD: Final[dict[str, str]] = {}
"""Distributed tables, each with its distribution column."""
EVERYWHERE: Final[set[str]] = set()
"""Reference tables: small, seldom changed, read beside everything."""
IN_ONE_PLACE: Final[dict[str, str]] = {}
"""Tables of the coordinator, each with the reason."""


def by(table: str, column: str) -> None:
    """Spread the rows of a table by a column, which every key and foreign key of it then holds and
    which is never changed. Below a child, and of what a county owes, it is COUNTY.
    """
    SPREAD[table] = column


def everywhere(*tables: str) -> None:
    """Keep the whole of a table on every machine: it is small, and everybody joins it."""
    EVERYWHERE.update(tables)


def in_one_place(because: str, *tables: str) -> None:
    """Keep tables where the requests arrive, for a reason."""
    IN_ONE_PLACE.update(dict.fromkeys(tables, because))


def undeclared(tables: Mapping[str, Collection[str]]) -> str | None:
    """Say which of these tables, each with its columns, nobody declared, or spread by a column that
    it lacks, and what to write; None if all is well.
    """
    for name in sorted({*tables} - set(SPREAD) - EVERYWHERE - set(IN_ONE_PLACE)):
        return (
            f"The table {name} does not say where its rows lie: beside its model, call"
            f' distribution.by("{name}", "home_county") if a county owns them,'
            " distribution.everywhere if it is small and joined by everybody, or"
            " distribution.in_one_place with the reason."
        )
    for name, column in sorted(SPREAD.items()):
        if column not in tables.get(name, ()):
            return (
                f"The table {name} is spread by {column}, which is no column of it: give it the"
                " column, required and in its primary key, or name another in distribution.by."
            )
    return None
