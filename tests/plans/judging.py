"""What a statement reads, by its plan, where it is sent: under the same reach, in the same
transaction, a moment before it is sent in earnest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.data import db
from app.core.settings import Database as Limits

_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
_JUDGED = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_DRIVER = ("set_config('tonghu", "typeinfo_tree", "current_setting('jit')", "set_config('jit'")
AT_ALL, A_ROW = 60, 40
"""Buffers (8 kB) that a statement may read, and for each row that it answers or was asked for."""
LOOKED_AT_ALL, LOOKED_A_ROW = 5_000, 40
"""Rows that it may look at, likewise: a page holds a hundred, so few buffers are a whole table. Of
a small one the planner reads all, and rightly.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run of a statement read. `buffers`: 8 kB each, without what writing takes; `rows`:
    answered, or asked for if those are more; `looked_at`: rows at the leaves; `worst`: the node
    that read most itself.
    """

    statement: str
    buffers: int
    rows: int
    looked_at: int
    ms: float
    worst: str

    @property
    def ceiling(self) -> int:
        return AT_ALL + A_ROW * self.rows

    @property
    def looks(self) -> int:
        return LOOKED_AT_ALL + LOOKED_A_ROW * self.rows

    @property
    def over(self) -> bool:
        return self.buffers > self.ceiling or self.looked_at > self.looks


@dataclass(slots=True)
class Watch:
    """Collects what is judged while it is `on`."""

    on: bool = False
    judged: list[Judged] = field(default_factory=list)

    def taken(self) -> list[Judged]:
        found, self.judged = self.judged, []
        return found


class Watched(asyncpg.Connection):  # type: ignore[misc]
    """A connection that explains what is sent over it, if its `watch` is on."""

    watch: Watch | None = None

    async def _execute(self, query: str, args: Any, *rest: Any, **options: Any) -> Any:
        refused = await self.judge(query, args)
        answer = await super()._execute(query, args, *rest, **options)
        if refused:  # for it went well
            raise RuntimeError("a statement could not be judged") from refused
        return answer

    async def execute(self, query: str, *args: Any, **options: Any) -> Any:
        if not args:
            await self.judge(query, args)
        return await super().execute(query, *args, **options)

    async def prepare(self, query: str, **options: Any) -> Any:
        return _Prepared(await super().prepare(query, **options), query, self)

    async def judge(self, query: str, args: Sequence[Any]) -> Exception | None:
        """Explain a statement and take back what that did. Returns why it was refused, if it was;
        raises when it was stopped, for what it explains would be stopped, too.
        """
        watch = self.watch
        if watch is None or not watch.on or not _JUDGED.match(query):
            return None
        if any(mark in query for mark in _DRIVER):
            return None
        watch.on = False
        await super().execute("SAVEPOINT judging")
        try:
            told = await super()._execute(_EXPLAIN + query, args, 1, None)
            watch.judged.append(read(" ".join(query.split()), told[0][0], args))
        except asyncpg.QueryCanceledError:
            statement = " ".join(query.split())
            watch.judged.append(Judged(statement, 10**9, 0, 0, 60_000.0, "stopped"))
            raise
        except asyncpg.PostgresError as refused:
            return refused
        else:
            return None
        finally:
            await super().execute("ROLLBACK TO SAVEPOINT judging; RELEASE SAVEPOINT judging")
            watch.on = True


class _Prepared:
    """A prepared statement of a watched connection."""

    def __init__(self, statement: Any, query: str, connection: Watched) -> None:
        self._statement, self._query, self._connection = statement, query, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statement, name)

    async def fetch(self, *args: Any) -> Any:
        await self._connection.judge(self._query, args)
        return await self._statement.fetch(*args)


def read(statement: str, told: Any, args: Sequence[Any] = ()) -> Judged:
    """Read what EXPLAIN has told, as text or as read by the connection already."""
    [found] = orjson.loads(told) if isinstance(told, str) else told
    plan = found["Plan"]
    nodes = [*_nodes(plan)]
    written = [node for node in nodes if node["Node Type"] == "ModifyTable"]
    buffers = _buffers(plan) - sum(_own(node) for node in written)
    answered = max([_rows(plan), *(_rows(below) for node in written for below in _below(node))])
    asked = [len(each) for each in args if isinstance(each, list | tuple)]
    reading = [node for node in nodes if node["Node Type"] != "ModifyTable"]
    return Judged(
        statement,
        buffers,
        max([answered, *asked]),
        sum(_looked_at(node) for node in nodes if not _below(node)),
        found["Execution Time"],
        _named(max(reading or nodes, key=_own)),
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in _below(node):
        yield from _nodes(below)


def _below(node: dict[str, Any]) -> list[dict[str, Any]]:
    below: list[dict[str, Any]] = node.get("Plans", [])
    return below


def _buffers(node: dict[str, Any]) -> int:
    kinds = ("Shared Hit Blocks", "Shared Read Blocks", "Temp Read Blocks", "Temp Written Blocks")
    return sum(node.get(kind, 0) for kind in kinds)


def _own(node: dict[str, Any]) -> int:
    return _buffers(node) - sum(map(_buffers, _below(node)))


def _rows(node: dict[str, Any]) -> int:
    return int(node["Actual Rows"] * node["Actual Loops"])


def _looked_at(node: dict[str, Any]) -> int:
    aside = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + aside) * node["Actual Loops"])


def _named(node: dict[str, Any]) -> str:
    where = node.get("Relation Name") or node.get("Function Name") or node.get("CTE Name") or ""
    by = f" by {node['Index Name']}" if "Index Name" in node else ""
    aside = node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
    thrown = f", {int(aside):,} thrown away" if aside else ""
    return f"{node['Node Type']} {where}{by}: {_rows(node):,} rows{thrown}".replace("  ", " ")


def open_watched(url: str, limits: Limits) -> AsyncEngine:
    """Make a pool of connections that can be watched."""
    engine = db.open_engine(url, limits)

    @event.listens_for(engine.sync_engine, "do_connect")
    def watched(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        options["connection_class"] = Watched

    return engine
