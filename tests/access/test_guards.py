"""What takes two people says so where it is declared, or the app does not start."""

from datetime import date, timedelta
from typing import Annotated

import pytest
from fastapi import APIRouter, Request

from app import main
from app.access import guards
from app.access.acts import Act, Afterwards, BadGuard, Guard, declared
from app.access.approvals.trying import guarded, refusal
from app.access.area import WRITE_CLIENTS
from app.access.deps import needs
from app.access.principal import Principal
from app.api import doors, v1
from app.core.data.db import TemporarilyUnavailable
from app.core.http import routing
from app.core.http.routing import ReadTransaction
from app.core.http.shown import Shown
from app.core.settings import Settings
from app.police_reports.acts import ACTS
from tests.access.test_acts import OURS, THEIRS, TODAY, listed, somebody

TWO = Annotated[Principal, needs(WRITE_CLIENTS, approval=guards.ALWAYS)]


@pytest.mark.parametrize(("zh", "en"), [("", "always"), ("任何情形", " ")])
def test_a_guard_that_does_not_say_when_is_none(zh: str, en: str) -> None:
    with pytest.raises(BadGuard, match="in zh and en"):
        Guard(guards.ALWAYS.when, zh, en)
    with pytest.raises(BadGuard, match="in zh and en"):
        Afterwards(timedelta(hours=1), zh, en)


def test_nor_is_one_that_looks_at_nothing_or_a_review_without_a_time() -> None:
    blind = guards.Condition((), lambda *_: None, lambda _: True, "true", lambda *_: BadGuard())
    with pytest.raises(BadGuard, match="names what of the object"):
        Guard(blind, "任何情形", "always")
    with pytest.raises(BadGuard, match="within which time"):
        Afterwards(timedelta(), "收回权力", "power is taken away")


def test_what_takes_two_is_this(app) -> None:
    """One more or less is a decision."""
    assert set(guarded(app)) == {
        *("createAgency", "addPost", "holdPost"),
        *("changeAgency", "mergeAgency", "changePost", "handOverPost"),
        *("registerClient", "registerApp", "replaceClientKeys", "resumeClient"),
        *("allowBearerTokens", "readReporter", "setPublicContact"),
        *("answerRightsRequest", "eraseChildData", "closeBreach"),
        *("createStaff", "inviteStaff", "resumeStaff", "resetPassword", "resetSecondFactor"),
        *("inviteDevice", "registerWitness", "endWitness", "startLog"),
    }


def test_what_will_pass_is_no_fault_of_the_proposal() -> None:
    away = TemporarilyUnavailable()
    assert refusal(away) is away


def _started(monkeypatch: pytest.MonkeyPatch, router: APIRouter) -> None:
    monkeypatch.setattr(v1, "ROUTERS", [*v1.ROUTERS, router])
    main.create_app(Settings(environment="test"))


async def _step(request: Request) -> None: ...


def test_what_is_done_before_its_transaction_cannot_be_tried(monkeypatch) -> None:
    router = routing.v1("Access")

    @router.post("/forgotten")
    @routing.before(_step)
    async def forgotten(principal: TWO) -> Shown[dict]:
        return Shown({})

    with pytest.raises(BadGuard, match="/v1/forgotten: what takes two people does nothing before"):
        _started(monkeypatch, router)


def test_what_is_read_elsewhere_cannot_be_kept_from_its_asker(monkeypatch) -> None:
    router = routing.v1("Access")

    @router.get("/forgotten")
    async def forgotten(principal: TWO, tx: ReadTransaction) -> Shown[dict]:
        return Shown({})

    with pytest.raises(BadGuard, match="/v1/forgotten: what takes two people is done on the prim"):
        _started(monkeypatch, router)


@pytest.mark.parametrize("name", ["readReporter", "readReport"])
def test_an_act_says_of_two_people_what_its_route_says(app, monkeypatch, name: str) -> None:
    guard = guards.ALWAYS if name == "readReport" else None
    others = {"readReporter": Act("reporters:read", guard=guard)}
    if name == "readReport":
        others = {"readReportChain": Act("police_reports:read", guard=guard)}
    monkeypatch.setattr("app.api.doors.declared", [*declared, others])
    with pytest.raises(BadGuard, match=next(iter(others))):
        doors.refuse_bad_guards(app)
    assert ACTS["readReporter"].guard is guards.ALWAYS


SEEN = [
    (
        guards.AGENCY_OF_POWER,
        {"agency_kind": ("police", "text"), "in_front": (False, "bool")},
        True,
    ),
    (
        guards.AGENCY_OF_POWER,
        {"agency_kind": ("school", "text"), "in_front": (False, "bool")},
        False,
    ),
    (guards.AGENCY_OF_POWER, {"agency_kind": ("school", "text"), "in_front": (True, "bool")}, True),
    (guards.POST_OF_POWER, {"agency_kind": ("operator", "text")}, True),
    (guards.POST_OF_POWER, {"agency_kind": ("hospital", "text")}, False),
    (
        guards.CLIENT_OF_POWER,
        {"agency_kind": ("school", "text"), "agency_id": (OURS, "uuid")},
        False,
    ),
    (
        guards.CLIENT_OF_POWER,
        {"agency_kind": ("school", "text"), "agency_id": (THEIRS, "uuid")},
        True,
    ),
    (
        guards.CLIENT_OF_POWER,
        {"agency_kind": ("education", "text"), "agency_id": (OURS, "uuid")},
        True,
    ),
    (guards.CLIENT_OF_POWER, {"agency_kind": (None, "text"), "agency_id": (None, "uuid")}, True),
    (guards.ALWAYS, {"id": (OURS, "uuid")}, True),
]


@pytest.mark.parametrize(("guard", "row", "two"), SEEN)
async def test_it_tells_and_narrows_alike(database, guard: Guard, row: dict, two) -> None:
    """Of what takes two, a list narrowed to what one may do shows none."""
    act = Act("visits:write", guard=guard)
    values = {name: value for name, (value, _) in row.items()}
    kinds = {name: kind for name, (_, kind) in row.items()}
    for who in (somebody(), somebody(staff=False)):
        assert act.admits(who, values, TODAY) is not two
        assert act.admits_two(who, values, TODAY) is (two and who.staff_id is not None)
        assert await listed(database, kinds, values, act, who) is not two
    assert not act.admits_two(somebody(scopes=frozenset()), values, date(2026, 11, 20))
