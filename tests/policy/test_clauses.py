import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
import yaml
from sqlmodel import SQLModel

from app import wiring
from app.policy import clauses, laws, queries
from app.policy.clauses import Clause

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def loaded() -> tuple[Clause, ...]:
    return clauses.load()


def carriers(loaded: tuple[Clause, ...], kind: str) -> set[str]:
    references = {reference for clause in loaded for reference in clause.carried_by}
    return {text.removeprefix(kind) for text in references if text.startswith(kind)}


@cache
def defined_in(path: Path) -> frozenset[str]:
    def named(body: list[ast.stmt], inside: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield inside + node.name
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield inside + node.target.id
            elif isinstance(node, ast.ClassDef):
                yield from named(node.body, f"{inside}{node.name}::")

    return frozenset(named(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def test_every_obligation_is_mapped_exactly_once(loaded: tuple[Clause, ...]) -> None:
    mapped = Counter(clause.id for clause in loaded)
    assert mapped == Counter(row["id"] for row in clauses.obligations())
    assert set(mapped.values()) == {1}
    assert len(mapped) == 238


def test_a_clause_stands_in_the_area_of_its_obligation(loaded: tuple[Clause, ...]) -> None:
    areas = {row["id"]: row["area"] for row in clauses.obligations()}
    assert all(clause.area == areas[clause.id] for clause in loaded)
    assert [area for area, _ in groupby(clause.area for clause in loaded)] == sorted(
        set(areas.values())
    )


def test_chinese_titles_are_the_words_of_the_source(loaded: tuple[Clause, ...]) -> None:
    # One source is a page that sets pinyin in brackets behind the characters.
    said = {row["id"]: re.sub(r"\([a-zà-ÿā-ǜ]+\)", "", row["zh"]) for row in clauses.obligations()}
    for clause in loaded:
        assert clause.title_zh.rstrip("…") in said[clause.id]
        assert 4 <= len(clause.title_zh) <= 36
        assert clause.title_en.isascii()
        assert 3 <= len(clause.title_en) <= 80


def test_every_test_named_exists(loaded: tuple[Clause, ...]) -> None:
    for clause in loaded:
        for test in clause.tests:
            file, _, name = test.partition("::")
            assert file.startswith("tests/"), test
            assert (ROOT / file).is_file(), test
            assert name.partition("[")[0] in defined_in(ROOT / file), test


def test_every_rule_named_exists(loaded: tuple[Clause, ...]) -> None:
    rules = yaml.safe_load((ROOT / "app" / "duties" / "rules.yaml").read_text(encoding="utf-8"))
    for rule in carriers(loaded, "rule:"):
        assert rule in rules or is_defined(rule), rule


def test_every_rule_carries_what_the_clauses_say(loaded: tuple[Clause, ...]) -> None:
    rules = yaml.safe_load((ROOT / "app" / "duties" / "rules.yaml").read_text(encoding="utf-8"))
    carried_by = {clause.id: clause.carried_by for clause in loaded}
    for code, rule in rules.items():
        for obligation in {*rule["carries"]} - {*laws.articles()}:
            assert f"rule:{code}" in carried_by[obligation], f"{obligation} by {code}"


def test_every_resource_named_is_in_the_document(loaded: tuple[Clause, ...]) -> None:
    document = ROOT / "openapi" / "v1.json"
    paths = json.loads(document.read_bytes())["paths"]
    assert carriers(loaded, "resource:") <= paths.keys()


def test_every_column_named_exists(loaded: tuple[Clause, ...]) -> None:
    wiring.load()
    tables = SQLModel.metadata.tables
    columns = {str(column) for table in tables.values() for column in table.columns}
    assert carriers(loaded, "field:") <= columns


def test_every_parameter_named_is_read(loaded: tuple[Clause, ...]) -> None:
    waiting = {name for name, said in queries.parameters().items() if said.waits_for}
    assert not carriers(loaded, "parameter:") & waiting, "what nothing reads carries nothing"


def is_defined(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    file = (ROOT / module.replace(".", "/")).with_suffix(".py")
    return file.is_file() and name in defined_in(file)


def test_references_that_do_not_exist_are_noticed() -> None:
    assert is_defined("app.policy.rules.effective")
    assert not is_defined("app.policy.rules.effectual")
    assert not is_defined("app.policy.no_such_module.effective")
    assert "test_every_test_named_exists" in defined_in(Path(__file__))
    assert "test_no_such_test" not in defined_in(Path(__file__))


def test_coverage_counts_by_area_and_state(loaded: tuple[Clause, ...]) -> None:
    def mapped(area: str, **said: object) -> Clause:
        title = {"id": "X-01", "area": area, "title_zh": "题", "title_en": "T"}
        return Clause.model_validate({**title, **said})

    whole = {"carried_by": ("rule:a",), "tests": ("tests/x.py::y",)}
    some, none = {**whole, "partly": "No clock."}, {"status": "not_yet"}
    given = [("A", whole), ("A", none), ("B", some), ("B", none), ("B", none)]
    counted = clauses.coverage(mapped(area, **said) for area, said in given)
    assert counted == [("A", 1, 0, 1), ("B", 0, 1, 2)]
    assert sum(sum(counts) for _, *counts in clauses.coverage(loaded)) == 238
