"""What `make mutants` is to plant can be planted: it names code, tests and functions that exist."""

import gc
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.policy import clauses
from app.regions import rules
from tests.mutants import faults

HERE = Path(__file__).parent
HOME = HERE.parents[1]
FAULTS = tomllib.loads((HERE / "by_hand.toml").read_text())["fault"]
OF_CLAUSES = tomllib.loads((HERE / "clauses.toml").read_text())["fault"]
TARGETS = tomllib.loads((HERE / "targets.toml").read_text())["target"]


@pytest.mark.parametrize("fault", FAULTS, ids=[each["says"] for each in FAULTS])
def test_the_text_to_replace_stands_once(fault: dict[str, Any]) -> None:
    assert (HOME / fault["file"]).read_text("utf-8").count(fault["replace"]) == 1


def test_every_clause_that_is_carried_or_partly_has_faults_that_can_be_planted() -> None:
    carried = {each.id for each in clauses.load() if each.carried_by}
    planted = {each["clause"] for each in OF_CLAUSES}
    assert planted == carried, f"in clauses.toml or clauses.yaml alone: {planted ^ carried}"
    parts = [(each["clause"], each["says"]) for each in OF_CLAUSES]
    assert len({*parts}) == len(parts), "a part is said once"
    sources = {name: (HOME / name).read_text("utf-8") for name in {e["file"] for e in OF_CLAUSES}}
    for each in OF_CLAUSES:
        source, part = sources[each["file"]], (each["clause"], each["says"])
        assert source.count(each["replace"]) == 1, part
        if each["file"].endswith(".py"):
            compile(source.replace(each["replace"], each["by"]), each["file"], "exec")
        assert each["by"] != each["replace"], part
        assert {*each} == {"clause", "says", "file", "replace", "by"}, "the clause names its tests"


@pytest.mark.parametrize("target", TARGETS, ids=[each["file"] for each in TARGETS])
def test_the_places_of_a_file_exist(target: dict[str, Any]) -> None:
    source = (HOME / target["file"]).read_text("utf-8")
    for place in target.get("places", ()):
        assert re.search(rf"^(async )?(def |class )?{place}\b", source, re.MULTILINE), place


def test_the_tests_named_exist() -> None:
    for name in {test for each in (*FAULTS, *TARGETS) for test in each["tests"]}:
        file, *inside = name.partition("[")[0].split("::")
        source = (HOME / file).read_text("utf-8")
        for part in inside:
            assert re.search(rf"^\s*(async )?(def|class) {part}\b", source, re.MULTILINE), name


def test_a_fault_is_in_force_also_where_the_collector_was_spared() -> None:
    path, right = HOME / "app/regions/rules.py", rules.lies_in_a_county.__code__
    gc.freeze()
    running = faults.Running(HOME / "app")
    gc.unfreeze()
    head, name, body = path.read_text("utf-8").partition("def lies_in_a_county(")
    try:
        wrong = body.replace("    return True", "    return False", 1)
        running.install(path, rules, head + name + wrong)
        assert not rules.lies_in_a_county(120119101200)
    finally:
        rules.lies_in_a_county.__code__ = right
    assert rules.lies_in_a_county(120119101200)
