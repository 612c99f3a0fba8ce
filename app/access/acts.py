"""What a caller may do with an object: one rule that refuses, tells and narrows.

A package declares its acts by operationId beside the problems they are refused with. The operation
asks `require`; the answer carries `permitted`, so that an app shows only what works; a list is
narrowed to what an act may be done with. All three read the same conditions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from app.access.principal import Principal
from app.core.data.sql import Where
from app.core.problems import Problem

Permitted = Annotated[
    list[Annotated[str, Field(max_length=60, pattern=r"^[a-z][A-Za-z]+$")]],
    Field(
        max_length=30,
        description="Operations you may call on it now, by operationId.",
        examples=[["readChildHistory"]],
    ),
]


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that must hold of the caller and the object.

    `column` of the object's row is compared with `expected(principal, day)`: by `holds` in Python
    and by `sql`, in which `{0}` stands for the column and `{1}` for the value.
    """

    column: str
    expected: Callable[[Principal, date], Any]
    holds: Callable[[Any, Any], bool]
    sql: str
    refusal: Callable[[Principal, Mapping[str, Any], date], Problem]


@dataclass(frozen=True, slots=True)
class Act:
    """One operation on an object: its scope, and what else must hold, in the order it is told."""

    scope: str
    conditions: Sequence[Condition] = ()

    def require(self, principal: Principal, row: Mapping[str, Any], on: date) -> None:
        """Raise the problem of the first condition that does not hold."""
        for each in self.conditions:
            if not each.holds(row[each.column], each.expected(principal, on)):
                raise each.refusal(principal, row, on)

    def admits(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        """Tell whether the caller may do it with the object now."""
        if self.scope not in principal.scopes:
            return False
        for each in self.conditions:
            if not each.holds(row[each.column], each.expected(principal, on)):
                return False
        return True

    def narrow(self, where: Where, principal: Principal, on: date, *, alias: str) -> None:
        """Narrow a list, whose rows go by `alias`, to the objects it may be done with."""
        if self.scope not in principal.scopes:
            where.add("false")
        for each in self.conditions:
            place = where.bind(each.expected(principal, on))
            where.add(each.sql.format(f"{alias}.{each.column}", place))


declared: list[Mapping[str, Act]] = []
"""The acts of every list, for the check at start."""


def permitted(
    acts: Mapping[str, Act], principal: Principal, row: Mapping[str, Any], on: date
) -> list[str]:
    """List the acts the caller may do with an object now."""
    return [name for name, act in acts.items() if act.admits(principal, row, on)]


def asked(acts: Mapping[str, Act]) -> Callable[..., Act | None]:
    """Make the dependency that reads the query parameter `permitted` of a list."""
    declared.append(acts)

    def act(
        permitted: Annotated[
            str | None,
            Query(
                max_length=60,
                pattern=f"^({'|'.join(sorted(acts))})$",
                description="Only those on which you may call this operation now.",
            ),
        ] = None,
    ) -> Act | None:
        return None if permitted is None else acts[permitted]

    return act


def own(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the object is the caller's agency's: `column` is its id."""
    return Condition(column, _agency, _equal, "{0} = {1}", lambda *_: otherwise())


def own_or_nobodys(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the object is the caller's agency's, or no agency's yet."""
    return Condition(
        column,
        _agency,
        lambda found, wanted: found in {None, wanted},
        "({0} IS NULL OR {0} = {1})",
        lambda *_: otherwise(),
    )


def among(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the caller's agency is one of those in `column`."""
    return Condition(
        column,
        _agency,
        lambda found, wanted: wanted in found,
        "{1} = ANY ({0})",
        lambda *_: otherwise(),
    )


def inside(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the region in `column` lies in the caller's remit."""
    return Condition(
        column,
        lambda principal, _: [principal.region_lo, principal.region_hi],
        lambda found, span: span[0] <= found < span[1],
        "({0} >= ({1}::bigint[])[1] AND {0} < ({1}::bigint[])[2])",
        lambda *_: otherwise(),
    )


def unset(column: str, otherwise: type[Problem]) -> Condition:
    """Hold while `column` is empty."""
    return Condition(
        column,
        lambda *_: None,
        lambda found, _: found is None,
        "({0} IS NULL OR {1}::text IS NOT NULL)",
        lambda *_: otherwise(),
    )


def stands(
    states: Callable[[Principal, date], Sequence[str]],
    refusal: Callable[[Principal, Mapping[str, Any], date], Problem],
    column: str = "state",
) -> Condition:
    """Hold if the object stands in one of the states named for the caller and the day."""
    return Condition(
        column,
        lambda principal, on: sorted(states(principal, on)),
        lambda found, wanted: found in wanted,
        "{0} = ANY ({1}::text[])",
        refusal,
    )


def personally(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the caller is a person, not a machine; `column` is any that is never empty."""
    return Condition(
        column,
        lambda principal, _: principal.staff_id is not None,
        lambda _, person: bool(person),
        "({0} IS NOT NULL AND {1}::boolean)",
        lambda *_: otherwise(),
    )


def _agency(principal: Principal, on: date) -> Any:
    return principal.agency_id


def _equal(found: Any, wanted: Any) -> bool:
    return bool(found == wanted)
