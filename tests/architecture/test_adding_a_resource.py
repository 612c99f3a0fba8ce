"""docs/add-a-resource.md, followed block by block in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
PAGE = (HOME / "docs/add-a-resource.md").read_text("utf-8")
COPIED = ("app", "tests", "alembic", "alembic.ini", "pyproject.toml", "scripts", "openapi", "docs")
FOLLOWED = ("tests/contact_notes", "tests/architecture/test_tables.py")
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
    for name in COPIED:
        if (HOME / name).is_dir():
            left_out = shutil.ignore_patterns("node_modules")
            shutil.copytree(HOME / name, place / name, ignore=left_out)
        else:
            shutil.copy(HOME / name, place / name)
    for path, text in blocks("python").items():
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_text(text, "utf-8")
    for text in blocks("diff").values():
        subprocess.run(["git", "apply", "-"], cwd=place, input=text, text=True, check=True)
    return place


def run(place: Path, *command: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env={**kept, "PYTHONPATH": str(place), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize(
    "also", [(), pytest.param(ASKED_OF_IT, marks=pytest.mark.long)], ids=["tests", "matrix"]
)
def test_the_page_is_enough(tmp_path: Path, pg: str, also: tuple[str, ...]) -> None:
    copy = followed(tmp_path)
    assert len(blocks("python")) + len(blocks("diff")) == 13
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    assert "0 broken" in run(copy, "-c", lint)
    said = run(copy, "-m", "pytest", "-q", *FOLLOWED, *also, TONGHU_TEST_SUPERUSER_URL=pg)
    assert re.search(r"\d+ passed", said), said
