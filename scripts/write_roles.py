"""Write docs/roles.md from roles, scopes and the API document. A test fails while they differ."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app import wiring
from app.core import areas

HOME = Path(__file__).resolve().parents[1]
PLACE = HOME / "docs" / "roles.md"
ROLES = HOME / "app" / "access" / "roles.yaml"
DOCUMENT = HOME / "openapi" / "v1.json"

_HEAD = """\
# Who may do what

Written by `make openapi` from `app/access/roles.yaml`, the packages' `area.py` and
`openapi/v1.json`; do not edit.
What a role may do is data; `tests/matrix` works every answer out a second time and holds the API to
it.

A role opens an operation; which things it opens it for is decided per thing: children by the
region of the post or by enrolment at the caller's school, reports by the part an agency has in the
case, endpoints and batches by ownership. Everything else is answered as if it did not exist.
An operation names the roles of which somebody comes to do it; `tests/matrix/on_stage/test_reach.py`
holds the page to that.

## Roles
"""
_PERSONS = (
    *("attachUnresolved", "correctUnresolved", "takeBackUnresolved", "dismissUnresolved"),
    *("closeWebhookDelivery", "recordReturn", "settleDoubt", "recordPresenceFinding"),
    *("listMySignIns", "endMySignIns", "endMySignIn"),
)
_NO_FILES = ("openReferral", "listChildReferrals")
_TRIALS = ("tryPolicyValue", "startPolicyTrial", "readPolicyTrial", "cancelPolicyTrial")
_SETTLED_BY_OFFICES = ("attachUnresolved", "takeBackUnresolved", "dismissUnresolved")
NEVER: dict[str, set[str]] = {
    "school_system": {*_PERSONS, *_TRIALS},  # persons do that; and categories it does not read
    "school": {*_TRIALS, *_SETTLED_BY_OFFICES, "createChild", "readAssessmentDocument"},
    "education_authority": {
        *(*_TRIALS, *_SETTLED_BY_OFFICES),
        *("createChild", "readAssessmentDocument"),  # not its sections, not with it
    },
    "village_director": {*_SETTLED_BY_OFFICES, "confirmWithdrawal", "readAssessmentDocument"},
    "township_supervisor": {"withdrawSuspect"},  # the police, or a county
    "civil_affairs": {"registerApp", "allowBearerTokens", "endBearerTokens"},  # the operator
    "hospital": {*_NO_FILES, "readAssessmentDocument"},
    "reporting_body": {*_NO_FILES, "readAssessmentDocument"},
    "police": {*_NO_FILES, "readAssessmentDocument"},
    "auditor": {"readAssessmentDocument"},
}
"""What a role holds the scope of and never does, for a rule besides scopes and purposes. A test
holds the page to what the rules let through.
"""
_RELATION = {
    "region": "children living in the remit",
    "enrolled": "children living in the remit and enrolled at the caller's school",
    "none": "no files; only its own resources",
}


def _roles() -> dict[str, Any]:
    roles: dict[str, Any] = yaml.safe_load(ROLES.read_text("utf-8"))
    sets = roles.pop("scope_sets")
    for role in roles.values():
        inherited = [scope for name in role["includes"] for scope in sets[name]]
        role["scopes"] = [*inherited, *role.get("scopes", [])]
    return roles


def may(document: dict[str, Any]) -> dict[str, list[str]]:
    """Say which roles do each operation: those that hold its scope, and a purpose if it needs one,
    and of which somebody comes to do it.
    """
    found, roles = {}, _roles()
    for methods in document["paths"].values():
        for operation in methods.values():
            ((scopes,),) = (requirement.values() for requirement in operation["security"])
            name = operation["operationId"]
            needs_purpose = any(
                each["name"] == "Purpose-Of-Use" and each["required"]
                for each in operation.get("parameters", ())
            )
            found[name] = [
                code
                for code, role in roles.items()
                if scopes[0] in role["scopes"]
                and (role["purposes"] or not needs_purpose)
                and name not in NEVER.get(code, ())
            ]
    return found


def text() -> str:
    """Write the page the way it is committed."""
    roles = _roles()
    document = json.loads(DOCUMENT.read_text("utf-8"))
    lines = [
        _HEAD,
        *_described(roles),
        "\n## Scopes\n",
        *_scopes(),
        "\n## Operations\n",
        *_operations(roles, document),
        "\n## What takes two people\n",
        *_by_two(document),
    ]
    return "\n".join(lines) + "\n"


def _described(roles: dict[str, Any]) -> Iterator[str]:
    head = (
        "role | held by | of | at | sees | reads | writes | purposes | second factor | obligations"
    )
    yield f"| {head} |"
    yield f"|{'---|' * (head.count('|') + 1)}"
    for code, role in roles.items():
        name = f"`{code}` {role['name']['zh']} · {role['name']['en']}"
        lists = [role["for"], role["agency_kinds"], role["levels"]]
        groups = [role["reads"], role["writes"], role["purposes"]]
        factor = "at each sign-in" if role.get("second_factor") == "always" else "when asked"
        cells = [name, *map(_joined, lists), _RELATION[role["relation"]], *map(_joined, groups)]
        cells += [factor, _joined(role["obligations"])]
        yield f"| {' | '.join(cells)} |"


def _scopes() -> Iterator[str]:
    wiring.load()
    yield "Those marked ✎ open personal data: their operations need a `Purpose-Of-Use`, unless they"
    yield "only count.\n"
    yield "| scope | 说明 | what it opens | of |"
    yield "|---|---|---|---|"
    for code, scope in areas.scopes().items():
        mark = " ✎" if scope.personal else ""
        yield f"| `{code}`{mark} | {scope.zh} | {scope.en} | {scope.area.tag} · {scope.area.zh} |"


def _joined(codes: list[str]) -> str:
    return ", ".join(codes) or "–"


def _operations(roles: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield "✎ marks operations that need a `Purpose-Of-Use`; ⚭ those that take two people, at least"
    yield "in some cases, and ⏲ those that another person reviews afterwards: see below.\n"
    yield "| operation | scope | roles |"
    yield "|---|---|---|"
    done = may(document)
    for methods in document["paths"].values():
        for operation in methods.values():
            ((scopes,),) = (requirement.values() for requirement in operation["security"])
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            mark = " ✎" if "Purpose-Of-Use" in names else ""
            mark += " ⚭" if "x-approval" in operation else ""
            mark += " ⏲" if "x-review" in operation else ""
            granted = done[operation["operationId"]]
            who = "everyone" if len(granted) == len(roles) else _joined(granted)
            yield f"| `{operation['operationId']}`{mark} | {scopes[0]} | {who} |"


def _by_two(document: dict[str, Any]) -> Iterator[str]:
    yield "A person proposes the request at `POST /v1/approvals`, another who holds the same role"
    yield "over the same object decides, and the first sends it with the header `Approval`"
    yield "([why and how](decisions/0053-power-is-used-by-two.md)).\n"
    yield "| operation | takes two people for | 须由两人办理的情形 |"
    yield "|---|---|---|"
    for operation in _all(document):
        if told := operation.get("x-approval"):
            yield f"| `{operation['operationId']}` | {told['when']} | {told['when_zh']} |"
    yield "\n| operation | reviewed by another afterwards | 事后复核 | within |"
    yield "|---|---|---|---|"
    for operation in _all(document):
        if told := operation.get("x-review"):
            cells = (told["what"], told["what_zh"], f"{told['within_hours']} h")
            yield f"| `{operation['operationId']}` | {' | '.join(cells)} |"


def _all(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


if __name__ == "__main__":
    PLACE.write_text(text(), "utf-8")
