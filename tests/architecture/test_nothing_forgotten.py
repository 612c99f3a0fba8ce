"""What a new resource owes beside its own work, and what is missed if it is forgotten."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import wiring
from app.core import areas
from app.core.problems import Problem
from tests.architecture.test_document import operations

HOME = Path(__file__).resolve().parents[2]
CHINESE = re.compile(r"[\u4e00-\u9fff]")

PUBLIC = {
    "NotFound": "no such path: nothing is named",
    "RegionNotFound": "divisions are public",
    "CodelistNotFound": "code lists are public",
    "ParameterNotFound": "parameters are public",
    "AgencyNotFound": "agencies are public",
    "HoldingNotFound": "who gets so far sees the post and everybody who holds it",
}
"""What whoever asks may know of: not to find it denies them nothing."""

OF_ANOTHER = dict.fromkeys(("listCodelists", "readCodelist"), "reference:read")
"""Operations with a scope of another chapter: regions and code lists are read with one."""


def _problems(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("app."):
            yield each
        yield from _problems(each)


@pytest.mark.usefixtures("document")
def test_every_problem_has_a_title_of_its_own_in_both_languages() -> None:
    kinds = list(_problems())
    assert len(kinds) > 70
    for kind in kinds:
        assert {"title", "title_zh"} <= vars(kind).keys(), f"{kind.__name__} inherits its title"
        assert CHINESE.search(kind.title_zh), f"{kind.__name__}: title_zh is not Chinese"
        assert not CHINESE.search(kind.title), f"{kind.__name__}: title is Chinese"


@pytest.mark.usefixtures("document")
def test_what_is_not_there_for_a_caller_is_audited_as_denied() -> None:
    missing = {kind.__name__: kind.denies for kind in _problems() if kind.status == 404}
    silent = {name for name, denies in missing.items() if not denies}
    assert silent == PUBLIC.keys(), "set `denies = True`, or say why everybody may know of it"


def test_an_operation_needs_a_scope_of_its_own_chapter(document) -> None:
    for _, _, operation in operations(document):
        ((scopes,),) = [requirement.values() for requirement in operation["security"]]
        (scope,), name = scopes, operation["operationId"]
        own = operation["tags"] == [areas.scopes()[scope].area.tag]
        assert own == (OF_ANOTHER.get(name) != scope), f"{name}: {scope}"


def test_inside_every_package_data_flows_one_way() -> None:
    told = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))
    contracts = told["tool"]["importlinter"]["contracts"]
    held = {
        package
        for contract in contracts
        if contract["id"].startswith("inside")
        for package in contract["containers"]
    }
    missing = {f"app.{name}" for name in wiring.packages()} - held
    assert missing == set(), "add it to the containers of the contract `inside` in pyproject.toml"
