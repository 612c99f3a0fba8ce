"""docs/add-a-resource.md, followed block by block in a copy of the project, and the README."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture import test_adding_by_the_readme as readme
from tests.architecture.test_adding_by_the_readme import HOME, copied

PAGE = (HOME / "docs/add-a-resource.md").read_text("utf-8")
COPIED = ("app", "tests", "alembic", "alembic.ini", "pyproject.toml", "scripts", "openapi", "docs")
FOLLOWED = (
    "tests/contact_notes",
    *(f"tests/architecture/test_{what}.py" for what in ("tables", "reading")),
    "tests/plans/test_plans.py::test_it_is_said_of_every_table_how_much_there_is",
)
ASKED_OF_IT = (
    "tests/below/test_moving.py",
    "tests/matrix/on_stage/test_permitted.py::test_it_is_what_happens[village_director-staff]",
    "tests/matrix/on_stage/test_roles.py::test_answers[village_director-staff]",
)


def blocks(kind: str) -> dict[str, str]:
    """Return the page's blocks of one kind by the file they belong to."""
    return dict(re.findall(rf"```{kind} title=(\S+)\n(.*?)```", PAGE, re.DOTALL))


def followed(place: Path) -> Path:
    """Copy the project and do what the page says."""
    copied(place, *COPIED)
    for path, text in blocks("python").items():
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_text(text, "utf-8")
    for text in blocks("diff").values():
        subprocess.run(["git", "apply", "-"], cwd=place, input=text, text=True, check=True)
    return place


def done(place: Path, *command: str, **environment: str) -> str:
    """Run it and return what it said, which is well."""
    ended = readme.run(place, *command, **environment)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.mark.parametrize(
    "also", [(), pytest.param(ASKED_OF_IT, marks=pytest.mark.long)], ids=["tests", "matrix"]
)
def test_the_page_and_the_readme_are_enough(tmp_path: Path, pg: str, also: tuple[str, ...]) -> None:
    """A resource, a field and a rule in one copy and one process: these cost the most."""
    copy = readme.with_rule(readme.with_field(followed(tmp_path)))
    shutil.copy(HOME / "tests/children/blood_type.py", copy / "tests/children/test_blood_type.py")
    assert len(blocks("python")) + len(blocks("diff")) == 15
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    assert "0 broken" in done(copy, "-c", lint)
    tests = (*FOLLOWED, *readme.FOLLOWED, *also)
    said = done(copy, "-m", "pytest", "-q", *tests, TONGHU_TEST_SUPERUSER_URL=pg)
    assert re.search(r"\d+ passed", said), said
