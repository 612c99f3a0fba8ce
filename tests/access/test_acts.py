"""What one act asks of the caller and the object, held in Python and in SQL alike."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from app.access import acts
from app.access.acts import Act, Condition
from app.access.principal import Principal
from app.access.roles import role
from app.core.data.db import SYSTEM
from app.core.data.sql import Where
from app.core.problems import Problem

TODAY = date(2026, 11, 20)
OURS, THEIRS, ALSO_OURS = UUID(int=1), UUID(int=2), UUID(int=3)
SCOPE = "visits:write"


class First(Problem):
    status = 403
    title = "first"


class Second(Problem):
    status = 409
    title = "second"


def somebody(*, staff: bool = True, scopes: frozenset[str] = frozenset({SCOPE})) -> Principal:
    return Principal(
        subject="staff:1",
        staff_id=OURS if staff else None,
        client_id=OURS,
        agency_id=OURS,
        agency_kind="police",
        role=role("police"),
        region_code=120119101000,
        region_lo=120119101000,
        region_hi=120119102000,
        scopes=scopes,
        request_id="-",
        ip=None,
    )


class Case(NamedTuple):
    """A condition, the type of its column, and for values of the column whether it holds."""

    condition: Callable[[], Condition]
    kind: str
    values: list[tuple[Any, bool]]
    who: Principal = somebody()


CASES = {
    "own": Case(
        lambda: acts.own("it", First), "uuid", [(OURS, True), (THEIRS, False), (None, False)]
    ),
    "own_or_nobodys": Case(
        lambda: acts.own_or_nobodys("it", First),
        "uuid",
        [(OURS, True), (THEIRS, False), (None, True)],
    ),
    "among": Case(
        lambda: acts.among("it", First),
        "uuid[]",
        [([THEIRS, OURS], True), ([THEIRS], False), ([], False)],
    ),
    "inside": Case(
        lambda: acts.inside("it", First),
        "bigint",
        [
            (120119100999, False),
            (120119101000, True),
            (120119101999, True),
            (120119102000, False),
        ],
    ),
    "another person": Case(
        lambda: acts.another_person("it", First),
        "uuid",
        [(OURS, False), (ALSO_OURS, False), (THEIRS, True), (None, True)],
        replace(somebody(), also=(ALSO_OURS,)),
    ),
    "another person than a machine": Case(
        lambda: acts.another_person("it", First), "uuid", [(THEIRS, False)], somebody(staff=False)
    ),
    "unset": Case(lambda: acts.unset("it", First), "uuid", [(None, True), (OURS, False)]),
    "stands": Case(
        lambda: acts.stands(lambda *_: ("open", "late"), lambda *_: First(), "it"),
        "text",
        [("open", True), ("late", True), ("closed", False)],
    ),
    "personally": Case(lambda: acts.personally("it"), "uuid", [(OURS, True)]),
    "not personally": Case(
        lambda: acts.personally("it"), "uuid", [(OURS, False)], somebody(staff=False)
    ),
}


EACH_VALUE = [
    pytest.param(case, value, holds, id=f"{name} {value}")
    for name, case in CASES.items()
    for value, holds in case.values
]


async def listed(
    database, kinds: dict[str, str], row: dict[str, Any], act: Act, who: Principal
) -> bool:
    where = Where("true")
    columns = ", ".join(f"{where.bind(row[name])}::{kind}" for name, kind in kinds.items())
    act.narrow(where, who, TODAY, alias="o")
    async with database.begin(SYSTEM) as tx:
        found: bool = await tx.connection.fetchval(
            f"SELECT EXISTS (SELECT FROM (SELECT {columns}) AS o ({', '.join(kinds)})"
            f" WHERE {where})",
            *where.arguments,
        )
    return found


@pytest.mark.parametrize(("case", "value", "holds"), EACH_VALUE)
async def test_it_refuses_tells_and_narrows_alike(database, case, value, holds) -> None:
    act = Act(SCOPE, (case.condition(),))
    row = {"it": value}
    assert act.admits(case.who, row, TODAY) is holds
    assert acts.permitted({"correctVisit": act}, case.who, row, TODAY) == ["correctVisit"] * holds
    assert await listed(database, {"it": case.kind}, row, act, case.who) is holds
    if holds:
        act.require(case.who, row, TODAY)
    else:
        with pytest.raises((First, acts.PersonRequired)):
            act.require(case.who, row, TODAY)


@pytest.mark.parametrize(
    ("owner", "place", "reached"),
    [
        (OURS, 120119100999, True),
        (OURS, 120119102000, True),
        (THEIRS, 120119101000, True),
        (THEIRS, 120119101999, True),
        (THEIRS, 120119100999, False),
        (THEIRS, 120119102000, False),
    ],
)
async def test_what_is_own_is_reached_anywhere_what_is_not_inside_the_remit_only(
    database, owner, place, reached
) -> None:
    act = Act(SCOPE, (acts.own_or_inside("owner", "place", First),))
    row, kinds = {"owner": owner, "place": place}, {"owner": "uuid", "place": "bigint"}
    assert act.admits(somebody(), row, TODAY) is reached
    assert await listed(database, kinds, row, act, somebody()) is reached
    with contextlib.nullcontext() if reached else pytest.raises(First):
        act.require(somebody(), row, TODAY)


async def test_without_its_scope_nothing_is_permitted_or_listed(database) -> None:
    act, who = Act(SCOPE), somebody(scopes=frozenset({"visits:read"}))
    assert acts.permitted({"correctVisit": act}, who, {}, TODAY) == []
    assert not await listed(database, {"it": "uuid"}, {"it": OURS}, act, who)
    assert await listed(database, {"it": "uuid"}, {"it": OURS}, act, somebody())


def test_what_opens_somebodys_data_takes_a_role_that_looks_for_a_purpose() -> None:
    police, operator = somebody(), replace(somebody(), role=role("operator"))
    assert police.role.purposes
    assert not operator.role.purposes
    for personal, admitted in ((False, [True, True]), (True, [True, False])):
        act = Act(SCOPE, personal=personal)
        assert [act.admits(who, {}, TODAY) for who in (police, operator)] == admitted
    assert Act(SCOPE).admits(operator, {}, TODAY)


def test_every_condition_must_hold_and_the_first_that_does_not_is_told() -> None:
    act = Act(SCOPE, (acts.own("owner", First), acts.unset("done", Second)))
    for row, refusal in (
        ({"owner": THEIRS, "done": OURS}, First),
        ({"owner": OURS, "done": OURS}, Second),
    ):
        assert not act.admits(somebody(), row, TODAY)
        with pytest.raises(refusal):
            act.require(somebody(), row, TODAY)
    act.require(somebody(), {"owner": OURS, "done": None}, TODAY)


async def test_a_list_is_asked_for_one_of_its_acts_or_for_none(monkeypatch) -> None:
    monkeypatch.setattr(acts, "declared", [])
    known = {"readThing": Act(SCOPE), "changeThing": Act(SCOPE)}
    asked = acts.asked(known).dependency
    assert await asked("readThing") is known["readThing"]
    assert await asked(None) is None
