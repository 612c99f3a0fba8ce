"""The README's sentence on adding a rule, followed in a copy of the project."""

from pathlib import Path

from tests.architecture.test_adding_a_field import copied, run

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
  escalates_to: [township_supervisor]
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

TRIED = (
    *(f"tests/duties/test_{name}.py" for name in ("teachers", "rules", "rulebook", "router")),
    "tests/visits/test_chain.py",
    "tests/policy/test_clauses.py",
)


def test_an_entry_a_test_and_a_line_are_enough(tmp_path: Path, pg: str) -> None:
    copy = copied(tmp_path, "app", "tests", "alembic", "alembic.ini", "pyproject.toml", "docs")
    with (copy / "app/duties/rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(RULE)
    (copy / "tests/duties/test_teachers.py").write_text(TEST, "utf-8")
    clauses = copy / "app/policy/clauses.yaml"
    before, _, after = clauses.read_text("utf-8").partition("- id: VIS-05\n")
    carried = after.replace("  status: not_yet\n", CLAUSE, 1)
    clauses.write_text(f"{before}- id: VIS-05\n{carried}", "utf-8")
    done = run(copy, "-m", "pytest", "-q", *TRIED, TONGHU_TEST_SUPERUSER_URL=pg)
    assert done.returncode == 0, done.stdout
