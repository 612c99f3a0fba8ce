"""What a backup leaves out, and what a restored database begins with: declared beside the tables.

A `models.py` says of a table that its rows are of no use in an archive (`leave_out`), or what has
to be done to rows that a restore brings back as they were some time ago (`once_restored`); a
feature, what is looked at to say that its rows are whole (`look_at`).
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

import asyncpg

_Looking = TypeVar("_Looking", bound="Callable[[asyncpg.Connection], Awaitable[Look]]")
KEPT_DAYS: Final = 30
"""For how long base backups and the WAL after them are kept: an erased child's key lies in them,
and the law gives no more. Archives hold no such key and stay.
"""
LEFT_OUT: Final[dict[str, str]] = {
    "child_keys": "an archive that held the key of an erased child would undo the erasure",
}
"""Tables whose rows are in no archive, each with the reason."""
ONCE_RESTORED: Final[list["Mend"]] = []


class Mend(NamedTuple):
    """A statement that puts right what a restore brings back, and why."""

    because: str
    statement: str


class Look(NamedTuple):
    """What was found of one thing in a database, and whether it is good."""

    good: bool
    found: str


LOOKS: Final[dict[str, Callable[[asyncpg.Connection], Awaitable[Look]]]] = {}


def look_at(what: str) -> Callable[[_Looking], _Looking]:
    """Register what `tonghu verify` looks at besides, of a database, as a role that sees all."""

    def register(look: _Looking) -> _Looking:
        LOOKS[what] = look
        return look

    return register


def leave_out(because: str, *tables: str) -> None:
    """Keep the rows of tables out of archives: a restored service does without them."""
    LEFT_OUT.update(dict.fromkeys(tables, because))


def once_restored(because: str, statement: str) -> None:
    """Run a statement in a restored database before anybody is served from it. It sees every row,
    and must do no harm if it runs twice.
    """
    ONCE_RESTORED.append(Mend(because, statement))
