"""The README's sentences on adding a field and a rule, to be followed in a copy of the project, and
what a typo in them is told. `test_adding_a_resource.py` follows them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
HEALTH = Path("app/children/sections/health.py")

FIELD = """
    blood_type: (
        Annotated[
            Literal["A", "B", "AB", "O"],
            Codes("blood_types", zh="血型", en="Blood group", source="test", labels={
                "A": ("A型", "A"), "B": ("B型", "B"), "AB": ("AB型", "AB"), "O": ("O型", "O"),
            }),
        ]
        | None
    ) = Field(default=None, description="Blood group.")
"""


RULE = """
VIS-05:
  title: {zh: 学校家访, en: Home visit by the school}
  carries: [VIS-05]
  bearer: {role: village_director}
  opens: {event: visits.abnormal_finding, arose_on: visited_on}
  due: {within: P14D, source: test}
  evidence:
    event: visits.visit_recorded
    match: child_id
    "on": visited_on
    where: {visitor_type: [teacher]}
    counts_from: next_day
  seen_by: [village_director, township_supervisor]
  escalates: [{after: P0D, to: [township_supervisor]}]
"""

TEST = """
from datetime import date

from tests.duties.factories import announce, ledger, visited, work


async def test_a_teacher_visits_after_an_abnormal_finding(database, child) -> None:
    finding = {"child": child, "visited_on": "2026-11-18"}
    await announce(database, "visits.abnormal_finding", **finding)
    await visited(database, child, date(2026, 11, 19), visitor_type="teacher")
    await work(database)
    (duty,) = await ledger(database, "VIS-05")
    assert duty["state"] == "discharged"
"""

CLAUSE = """  carried_by: ["rule:VIS-05"]
  tests:
    - tests/duties/test_teachers.py::test_a_teacher_visits_after_an_abnormal_finding
"""

FOLLOWED = (
    *(f"tests/children/test_{name}.py" for name in ("blood_type", "sections")),
    *(f"tests/duties/test_{name}.py" for name in ("teachers", "rules", "rulebook")),
    "tests/visits/test_chain.py",
    "tests/policy/test_clauses.py",
)


def copied(place: Path, *names: str) -> Path:
    """Copy what is named of the project."""
    left_out = shutil.ignore_patterns("node_modules")
    for name in names:
        if (HOME / name).is_dir():
            shutil.copytree(HOME / name, place / name, ignore=left_out)
        else:
            shutil.copy(HOME / name, place / name)
    return place


def with_field(copy: Path, field: str = FIELD) -> Path:
    """Add the field to the section of health."""
    with (copy / HEALTH).open("a", encoding="utf-8") as section:
        section.write(field)
    return copy


def run(place: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env={**kept, "PYTHONPATH": str(place), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def with_rule(copy: Path) -> Path:
    """Add the rule, its test, and its line in the clauses."""
    with (copy / "app/duties/rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(RULE)
    (copy / "tests/duties/test_teachers.py").write_text(TEST, "utf-8")
    clauses = copy / "app/policy/clauses.yaml"
    before, _, after = clauses.read_text("utf-8").partition("\nVIS-05:\n")
    carried = after.replace("  status: not_yet\n", CLAUSE, 1)
    clauses.write_text(f"{before}\nVIS-05:\n{carried}", "utf-8")
    return copy


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        (
            '"O": ("O型", "O")',
            '"O": ("", "O")',
            "the code O of blood_types needs two labels, zh and en",
        ),
        (', "O": ("O型", "O")', "", "the code O of blood_types has no label"),
        ("default=None, ", "", "give it a default: a file begins with blank sections"),
    ],
)
def test_a_typo_in_a_field_is_refused(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    copy = with_field(copied(tmp_path, "app"), FIELD.replace(right, wrong))
    done = run(copy, "-c", "import app.children.sections")
    assert done.stderr.splitlines()[-1].endswith(f"Health.blood_type: {says}"), done.stderr
