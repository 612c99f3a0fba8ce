"""The README's sentence on adding a field, followed in a copy of the project."""

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


def copied(place: Path, field: str, *names: str) -> Path:
    """Copy what is named of the project, and add the field to its section of health."""
    for name in names:
        if (HOME / name).is_dir():
            shutil.copytree(HOME / name, place / name)
        else:
            shutil.copy(HOME / name, place / name)
    with (place / HEALTH).open("a", encoding="utf-8") as section:
        section.write(field)
    return place


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


def test_its_line_is_enough(tmp_path: Path, pg: str) -> None:
    copy = copied(tmp_path, FIELD, "app", "tests", "alembic", "alembic.ini", "pyproject.toml")
    shutil.copy(HOME / "tests/children/blood_type.py", copy / "tests/children/test_blood_type.py")
    tests = ("test_blood_type.py", "test_sections.py")
    names = [f"tests/children/{name}" for name in tests]
    done = run(copy, "-m", "pytest", "-q", *names, TONGHU_TEST_SUPERUSER_URL=pg)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        (
            '"O": ("O型", "O")',
            '"O": ("", "O")',
            "the code O of blood_types needs two labels, zh and en",
        ),
        (', "O": ("O型", "O")', "", "the code O of blood_types has no label"),
    ],
)
def test_a_typo_in_it_is_refused(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    copy = copied(tmp_path, FIELD.replace(right, wrong), "app")
    done = run(copy, "-c", "import app.children.sections")
    assert done.stderr.splitlines()[-1].endswith(f"Health.blood_type: {says}"), done.stderr
