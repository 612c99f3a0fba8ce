"""Count the statements a request sends: query budgets are tests."""

from types import TracebackType
from typing import Any, Self

import asyncpg

from app.core.data.db import Database

_QUIET = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "NOTIFY")
_DRIVER = ("typeinfo_tree", "current_setting('jit')", "set_config('jit'")
"""asyncpg looks up a type once a connection; that is no cost of the request."""


class QueryRecorder:
    """Records statements on the pinned connection, transaction control left out."""

    def __init__(self, database: Database) -> None:
        self.statements: list[str] = []
        self._database = database
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._connection = self._database._pinned.raw  # type: ignore[attr-defined]
        self._connection.add_query_logger(self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.remove_query_logger(self._note)

    def _note(self, record: asyncpg.connection.LoggedQuery) -> None:
        statement = " ".join(record.query.split())
        if any(mark in statement for mark in _DRIVER):
            return
        if not statement.startswith(_QUIET) and "set_config('tonghu.lo', $1" not in statement:
            self.statements.append(statement)

    def clear(self) -> None:
        self.statements.clear()

    def __len__(self) -> int:
        return len(self.statements)
