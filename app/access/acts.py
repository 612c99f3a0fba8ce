"""What a caller may do with an object: one rule that refuses, tells and narrows.

A package declares its acts by operationId beside the problems they are refused with. The operation
asks `require`; the answer carries `permitted`, so that an app shows only what works; a list is
narrowed to what an act may be done with. All three read the same conditions.
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query

from app.access.principal import Principal
from app.core.data.sql import Where
from app.core.problems import Problem


class PersonRequired(Problem, status=403, denies=True):
    """What this says is said by somebody who looked at it, not by a system."""

    title = "A person does this, by name"
    title_zh = "须由具体人员办理"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that must hold of the caller and the object.

    `columns` of the object's row are compared with `expected(principal, day)`: by `test` in Python
    and by `sql`, in which `{0}`, `{1}` stand for the columns and `{wanted}` for the value.
    """

    columns: tuple[str, ...]
    expected: Callable[[Principal, date], Any]
    test: Callable[..., bool]
    sql: str
    refusal: Callable[[Principal, Mapping[str, Any], date], Problem]

    def holds(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        """Tell whether it holds of the caller and the object's row."""
        return self.test(*[row[each] for each in self.columns], self.expected(principal, on))


@dataclass(frozen=True, slots=True)
class Act:
    """One operation on an object: its scope, and what else must hold, in the order it is told.
    `personal`: it takes a purpose, though the scope itself opens nobody's data.
    """

    scope: str
    conditions: Sequence[Condition] = ()
    personal: bool = False

    def require(self, principal: Principal, row: Mapping[str, Any], on: date) -> None:
        """Raise the problem of the first condition that does not hold."""
        for each in self.conditions:
            if not each.holds(principal, row, on):
                raise each.refusal(principal, row, on)

    def admits(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        """Tell whether the caller may do it with the object now."""
        return self._may(principal) and all(
            each.holds(principal, row, on) for each in self.conditions
        )

    def narrow(self, where: Where, principal: Principal, on: date, *, alias: str) -> None:
        """Narrow a list, whose rows go by `alias`, to the objects it may be done with."""
        if not self._may(principal):
            where.add("false")
        for each in self.conditions:
            place = where.bind(each.expected(principal, on))
            columns = [f"{alias}.{column}" for column in each.columns]
            where.add(each.sql.format(*columns, wanted=place))

    def _may(self, principal: Principal) -> bool:
        return self.scope in principal.scopes and bool(principal.role.purposes or not self.personal)


declared: list[Mapping[str, Act]] = []
"""The acts of every list, for the check at start."""


def permitted(
    acts: Mapping[str, Act], principal: Principal, row: Mapping[str, Any], on: date
) -> list[str]:
    """List the acts the caller may do with an object now."""
    return [name for name, act in acts.items() if act.admits(principal, row, on)]


def asked(acts: Mapping[str, Act]) -> Any:
    """Make the dependency that reads the query parameter `permitted` of a list."""
    declared.append(acts)

    async def act(
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

    return Depends(act)


def own(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the object is the caller's agency's: `column` is its id."""
    return Condition((column,), _agency, operator.eq, "{0} = {wanted}", lambda *_: otherwise())


def own_or_nobodys(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the object is the caller's agency's, or no agency's yet."""
    return Condition(
        (column,),
        _agency,
        lambda found, wanted: found in {None, wanted},
        "({0} IS NULL OR {0} = {wanted})",
        lambda *_: otherwise(),
    )


def own_or_among(column: str, others: str, otherwise: type[Problem]) -> Condition:
    """Hold if the object is the caller's agency's, or the agency is one of those in `others`."""
    return Condition(
        (column, others),
        _agency,
        lambda owner, found, wanted: wanted == owner or wanted in found,
        "({0} = {wanted} OR {wanted} = ANY ({1}))",
        lambda *_: otherwise(),
    )


def among(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the caller's agency is one of those in `column`."""
    return Condition(
        (column,),
        _agency,
        lambda found, wanted: wanted in found,
        "{wanted} = ANY ({0})",
        lambda *_: otherwise(),
    )


def inside(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the region in `column` lies in the caller's remit."""
    return Condition(
        (column,),
        lambda principal, _: [principal.region_lo, principal.region_hi],
        lambda found, span: span[0] <= found < span[1],
        "({0} >= ({wanted}::bigint[])[1] AND {0} < ({wanted}::bigint[])[2])",
        lambda *_: otherwise(),
    )


def own_or_inside(agency: str, region: str, otherwise: type[Problem]) -> Condition:
    """Hold if the agency in one column is the caller's, or the region in the other in its remit."""
    return Condition(
        (agency, region),
        lambda principal, _: [
            *map(str, (principal.agency_id, principal.region_lo, principal.region_hi))
        ],
        lambda owner, place, wanted: (
            str(owner) == wanted[0] or int(wanted[1]) <= place < int(wanted[2])
        ),
        "({0}::text = ({wanted}::text[])[1] OR {1} >= ({wanted}::text[])[2]::bigint"
        " AND {1} < ({wanted}::text[])[3]::bigint)",
        lambda *_: otherwise(),
    )


def unset(column: str, otherwise: type[Problem]) -> Condition:
    """Hold while `column` is empty."""
    return Condition(
        (column,),
        lambda *_: None,
        lambda found, _: found is None,
        "({0} IS NULL OR {wanted}::text IS NOT NULL)",
        lambda *_: otherwise(),
    )


def given(column: str, otherwise: type[Problem]) -> Condition:
    """Hold once `column` is filled."""
    return Condition(
        (column,),
        lambda *_: None,
        lambda found, _: found is not None,
        "({0} IS NOT NULL AND {wanted}::text IS NULL)",
        lambda *_: otherwise(),
    )


def another_person(column: str, otherwise: type[Problem]) -> Condition:
    """Hold if the caller is a person, and not the one that `column` names."""
    return Condition(
        (column,),
        lambda principal, _: principal.staff_id,
        lambda found, person: person is not None and person != found,
        "({wanted}::uuid IS NOT NULL AND {0} IS DISTINCT FROM {wanted}::uuid)",
        lambda *_: otherwise(),
    )


def stands(
    states: Callable[[Principal, date], Collection[str]],
    refusal: Callable[[Principal, Mapping[str, Any], date], Problem],
    column: str = "state",
) -> Condition:
    """Hold if the object stands in one of the states named for the caller and the day."""
    return Condition(
        (column,),
        lambda principal, on: sorted(states(principal, on)),
        lambda found, wanted: found in wanted,
        "{0} = ANY ({wanted}::text[])",
        refusal,
    )


def personally(column: str) -> Condition:
    """Hold if the caller is a person, not a machine; `column` is any that is never empty."""
    return Condition(
        (column,),
        lambda principal, _: principal.staff_id is not None,
        lambda _, person: bool(person),
        "({0} IS NOT NULL AND {wanted}::boolean)",
        lambda *_: PersonRequired(),
    )


def _agency(principal: Principal, on: date) -> Any:
    return principal.agency_id
