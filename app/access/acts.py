"""What a caller may do with an object: one rule that refuses, tells and narrows.

A package declares its acts by operationId beside the problems they are refused with. The operation
asks `require`; the answer carries `permitted`, so that an app shows only what works; a list is
narrowed to what an act may be done with. All three read the same conditions.
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
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


class ApprovalRequired(Problem, status=403, denies=True):
    """No one person uses this power alone (AZ-11): another must have approved this very request."""

    title = "This takes two people: propose it, and send it again once another person has approved"
    title_zh = "该操作须由两人办理:请先提出审批,经另一人批准后重新发送"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(
            detail
            or "As a person, POST /v1/approvals with operation, path, body and a reason; when"
            " another person has approved it, send this same request with the header Approval: its"
            " id. 请以个人身份提出审批(POST /v1/approvals),经另一人批准后,在原请求中加上"
            " Approval 请求头。"
        )


class BadGuard(ValueError):
    """A guard does not say when it stands in the way; the app does not start."""


@dataclass(frozen=True, slots=True)
class Guard:
    """An operation that two people do together, where `when` holds of the caller and of what the
    operation is about (`Shown.about`). `zh`, `en`: when that is, in words. Raises BadGuard.
    """

    when: Condition
    zh: str
    en: str

    def __post_init__(self) -> None:
        if not self.zh.strip() or not self.en.strip():
            raise BadGuard("a guard says in zh and en when it takes two people")
        if not self.when.columns:
            raise BadGuard(f"{self.en}: a guard names what of the object it looks at")

    def asks(self, principal: Principal, about: Mapping[str, Any], on: date) -> bool:
        """Tell whether this takes two people."""
        return self.when.holds(principal, about, on)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """An operation that one does alone and at once, and that another person reviews `within` a
    time, where `when` holds of what it was about; always without one. `zh`, `en`: what it is, in
    words. `by`: in which role they do, if not in that of who did it. Raises BadGuard.
    """

    within: timedelta
    zh: str
    en: str
    when: Condition | None = None
    by: str | None = None

    def __post_init__(self) -> None:
        if not self.zh.strip() or not self.en.strip() or self.within <= timedelta():
            raise BadGuard("what is reviewed says in zh and en what it is, and within which time")

    def owes(self, principal: Principal, about: Mapping[str, Any], on: date) -> bool:
        """Tell whether a review is owed."""
        return self.when is None or self.when.holds(principal, about, on)


@dataclass(frozen=True, slots=True)
class Act:
    """One operation on an object: its scope, and what else must hold, in the order it is told.
    `personal`: it takes a purpose, though the scope itself opens nobody's data. `guard`: when it
    takes two people; it is the one that the route declares.
    """

    scope: str
    conditions: Sequence[Condition] = ()
    personal: bool = False
    guard: Guard | None = None

    def require(self, principal: Principal, row: Mapping[str, Any], on: date) -> None:
        """Raise the problem of the first condition that does not hold."""
        for each in self.conditions:
            if not each.holds(principal, row, on):
                raise each.refusal(principal, row, on)

    def admits(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        """Tell whether the caller may do it with the object now, alone."""
        return self._would(principal, row, on) and not self._takes_two(principal, row, on)

    def admits_two(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        """Tell whether the caller, a person, may do it once another has approved."""
        would = principal.staff_id is not None and self._would(principal, row, on)
        return would and self._takes_two(principal, row, on)

    def _would(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        return self._may(principal) and all(
            each.holds(principal, row, on) for each in self.conditions
        )

    def _takes_two(self, principal: Principal, row: Mapping[str, Any], on: date) -> bool:
        return self.guard is not None and self.guard.asks(principal, row, on)

    def narrow(self, where: Where, principal: Principal, on: date, *, alias: str) -> None:
        """Narrow a list, whose rows go by `alias`, to the objects it may be done with."""
        if not self._may(principal):
            where.add("false")
        for each in self.conditions:
            where.add(_said_of(each, where, principal, on, alias))
        if self.guard is not None:
            where.add(f"NOT ({_said_of(self.guard.when, where, principal, on, alias)})")

    def _may(self, principal: Principal) -> bool:
        return self.scope in principal.scopes and bool(principal.role.purposes or not self.personal)


def _said_of(condition: Condition, where: Where, principal: Principal, on: date, alias: str) -> str:
    place = where.bind(condition.expected(principal, on))
    columns = [f"{alias}.{column}" for column in condition.columns]
    return condition.sql.format(*columns, wanted=place)


declared: list[Mapping[str, Act]] = []
"""The acts of every list, for the check at start."""


def permitted(
    acts: Mapping[str, Act], principal: Principal, row: Mapping[str, Any], on: date
) -> list[str]:
    """List the acts the caller may do with an object now, alone."""
    return [name for name, act in acts.items() if act.admits(principal, row, on)]


def permitted_by_two(
    acts: Mapping[str, Act], principal: Principal, row: Mapping[str, Any], on: date
) -> list[str]:
    """List the acts the caller may do with an object once another person has approved."""
    return [name for name, act in acts.items() if act.admits_two(principal, row, on)]


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
    """Hold if the caller is a person, and not the one that `column` names, by any of their ids."""
    return Condition(
        (column,),
        lambda principal, _: principal.selves,
        lambda found, selves: bool(selves) and found not in selves,
        "(cardinality({wanted}::uuid[]) > 0 AND ({0} = ANY ({wanted}::uuid[])) IS NOT TRUE)",
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
