"""Who differs in something an operation reads is asked apart; nobody else is."""

from copy import deepcopy

import pytest

from tests.matrix.asks import ASKS
from tests.matrix.expectation import ROLES
from tests.matrix.facts import Holder
from tests.matrix.groups import CALLERS, LOOKS_AT, PARTS, askers, group, level
from tests.matrix.stage import PLANS

TWINS = ("hospital", "reporting_body")
"""Two roles that differ in their names and agencies alone."""


def groups_of(operation, **changes) -> set[str]:
    """The groups of the twins when the second is changed."""
    roles = deepcopy(ROLES)
    roles["reporting_body"].update(changes)
    return {group(operation, (role, "staff"), roles) for role in TWINS}


def test_all_roles_are_callers_as_all_who_may_hold_them() -> None:
    assert {role for role, _ in CALLERS} == ROLES.keys()
    assert len(CALLERS) == sum(len(data["for"]) for data in ROLES.values())


def test_twins_are_asked_once(described) -> None:
    assert len(groups_of(described["readReport"])) == 1
    assert len({*TWINS} & {role for role, _ in askers(described["readReport"])}) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"relation": "region"},
        {"levels": ["county"]},
        {"purposes": []},
        {"scopes": ["me:read"]},
        {"scopes": ["police_reports:read", "police_reports:receive"]},
        {"scopes": ["police_reports:read", "police_reports:handle"]},
        *({"agency_kinds": [kind]} for kind in sorted(PARTS)),
    ],
    ids=str,
)
def test_who_differs_in_what_a_report_looks_at_is_asked_too(described, changes) -> None:
    assert len(groups_of(described["readReport"], **changes)) == 2


@pytest.mark.parametrize("section", ["reads", "writes"])
def test_sections_count_where_a_file_is_shown_or_written(described, section) -> None:
    roles = deepcopy(ROLES)
    twin = roles["civil_affairs"]
    before = {name: group(described[name], ("civil_affairs", "staff")) for name in described}
    twin[section] = twin[section][1:]
    after = {name: group(described[name], ("civil_affairs", "staff"), roles) for name in described}
    changed = {name for name in described if before[name] != after[name]}
    assert changed == {
        *("createChild", "listChildren", "searchChildren", "readChild", "changeChild"),
        *("partitionChildren", "readChildHistory"),
    }


def test_a_role_known_by_name_is_asked_apart(described) -> None:
    roles = {**ROLES, "civil_affairs": ROLES["civil_affairs"], "twin": ROLES["civil_affairs"]}
    for name in ("addPost", "listDuties", "registerClient"):
        pair = {
            group(described[name], (role, "staff"), roles) for role in ("civil_affairs", "twin")
        }
        assert len(pair) == 2, name
    assert group(described["readChild"], ("twin", "staff"), roles) == group(
        described["readChild"], ("civil_affairs", "staff"), roles
    )


def test_how_a_role_is_held_counts_where_a_person_must_answer_for_it(described) -> None:
    holders: tuple[Holder, ...] = ("staff", "machine")
    for name, many in (("closeWebhookDelivery", 2), ("readWebhookDelivery", 1)):
        found = {group(described[name], ("police", holder)) for holder in holders}
        assert len(found) == many, name


def test_every_operation_is_asked_by_some_who_may_and_one_who_may_not(described) -> None:
    for each in ASKS:
        operation = described[each.operation]
        may = [operation.scope in ROLES[role]["scopes"] for role, _ in askers(operation)]
        assert any(may), operation.id
        lacking = any(operation.scope not in data["scopes"] for data in ROLES.values())
        assert may.count(False) == lacking, operation.id


def test_the_table_names_operations_that_exist(described) -> None:
    assert LOOKS_AT.keys() <= described.keys()
    assert {level(data) for data in ROLES.values()} == {"village", "township", "county"}
    assert [plan.label for plan in PLANS].count("in the remit") == 1
