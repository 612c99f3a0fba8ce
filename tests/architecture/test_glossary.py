"""Glossary and code use the same words."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.access.roles import FIELD_GROUPS, roles
from app.agencies.models import AgencyKind
from app.api.problem_pages import every_problem
from app.api.reference import codelists
from app.core import areas
from app.duties.rulebook import rules
from app.policy import queries as policy

HOME = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((HOME / "openapi" / "v1.json").read_bytes())
PATHS = [path.split("/") for path in DOCUMENT["paths"]]
SCHEMAS = DOCUMENT["components"]["schemas"].values()


def values_of(parameter: str) -> Iterator[Any]:
    """Every entry that the parameter, a list, has in any region."""
    for value in policy.values():
        if value.name == parameter:
            yield from value.value


def names_in(listed: str) -> dict[str, str]:
    """The codes of a list, and what each is called in Chinese."""
    return {entry.code: entry.zh for entry in codelists()[listed].items}


KNOWN: dict[str, Collection[str]] = {
    "category": names_in("child_categories").keys(),
    "flag": names_in("priority_flags").keys(),
    "kind": names_in("guardianship_kinds").keys(),
    "absence": names_in("attendance_categories").keys(),
    "paper": {paper["code"] for paper in values_of("document_types")},
    "role": roles(),
    "agency": set(AgencyKind),
    "section": FIELD_GROUPS,
    "resource": {path[2] for path in PATHS},
    "step": {path[4] for path in PATHS if len(path) > 4},
    "parameter": policy.parameters(),
    "field": {name for schema in SCHEMAS for name in schema.get("properties", ())},
}
"""What the third column may call a name, and which names there are of that kind."""


class Term(NamedTuple):
    chinese: str
    kind: str
    name: str


def terms() -> Iterator[Term]:
    for line in (HOME / "docs" / "glossary.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for kind, name in re.findall(r"(\w*) ?`([^`]+)`", cells[2] if len(cells) > 3 else ""):
            yield Term(cells[0], kind, name)


@pytest.mark.parametrize("term", list(terms()), ids=lambda term: f"{term.kind} {term.name}")
def test_a_name_in_the_glossary_is_in_the_code(term: Term) -> None:
    assert term.kind in KNOWN, f"say what {term.name} is: {', '.join(KNOWN)}"
    assert term.name in KNOWN[term.kind]


@pytest.mark.parametrize(
    ("kind", "listed"), [("category", "child_categories"), ("flag", "priority_flags")]
)
def test_what_is_derived_of_a_child_is_in_the_glossary(kind: str, listed: str) -> None:
    found = {term.name: term.chinese for term in terms() if term.kind == kind}
    names = names_in(listed)
    assert found.keys() == names.keys()
    for code, zh in names.items():
        assert zh.partition(":")[0] in found[code], code


def test_what_the_policy_derives_has_a_name() -> None:
    classes = {f"difficulty.{entry['code']}" for entry in values_of("difficulty.taxonomy")}
    assert classes <= KNOWN["category"]
    assert set(values_of("priority.flags")) <= KNOWN["flag"]


def test_a_duty_that_is_waived_frees_nobody_from_liability() -> None:
    """免予履行(职责), not 豁免责任; and 委托照护人, 委托监护 where older texts say so."""
    ours = [each.title.zh for each in rules().values()]
    ours += [scope.zh for scope in areas.scopes().values()]
    ours += [kind.title_zh for kind in every_problem()]
    assert not [words for words in ours if re.search("豁免|委托监护|(该|这项|何种)责任", words)]
