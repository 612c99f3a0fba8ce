"""Of a statement that locks rows of a spread table, whether one machine can run it (ADR 36)."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from app.core.data import distribution

_LOCKS = re.compile(
    r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b(?:\s+OF (?P<of>\w+))?(?!\s*\()"
)
_NAMED = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?")


@cache
def unrouted(statement: str) -> tuple[str, ...]:
    """Return the spread tables of which a statement locks rows without saying in which county (or
    by whatever else they are spread): compared to a value that is bound, in the SELECT that locks.
    """
    return tuple(
        table
        for lock in _LOCKS.finditer(statement)
        for select in [_select(statement, lock.start())]
        for table in _locked(select, lock["of"])
        if not re.search(rf"\b{distribution.SPREAD[table]} = \$\d", select)
    )


def _select(statement: str, end: int) -> str:
    """Return the SELECT that ends at a place, without what encloses it."""
    depth = 0
    for at in range(end - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(statement[at], 0)
        if depth < 0:
            return statement[at + 1 : end]
    return statement[:end]


def _locked(select: str, alias: str | None) -> set[str]:
    tables = {
        table
        for table, called in _NAMED.findall(select)
        if alias is None or alias in {table, called}
    }
    return tables & distribution.SPREAD.keys()


def watched(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a statement that locks rows without the county they lie by."""

    def asked(statement: str, *arguments: Any, **options: Any) -> Any:
        locked = unrouted(statement)
        assert not locked, (
            f"rows of {locked} are locked without what they are spread by: {statement}"
        )
        return ask(statement, *arguments, **options)

    return asked
