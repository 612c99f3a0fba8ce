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


def copied(place: Path, *names: str) -> Path:
    """Copy what is named of the project."""
    for name in names:
        if (HOME / name).is_dir():
            shutil.copytree(HOME / name, place / name)
        else:
            shutil.copy(HOME / name, place / name)
    return place


def with_field(copy: Path, field: str) -> Path:
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


def test_its_line_is_enough(tmp_path: Path, pg: str) -> None:
    names = ("app", "tests", "alembic", "alembic.ini", "pyproject.toml")
    copy = with_field(copied(tmp_path, *names), FIELD)
    shutil.copy(HOME / "tests/children/blood_type.py", copy / "tests/children/test_blood_type.py")
    tests = [f"tests/children/test_{name}.py" for name in ("blood_type", "sections")]
    done = run(copy, "-m", "pytest", "-q", *tests, TONGHU_TEST_SUPERUSER_URL=pg)
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
    copy = with_field(copied(tmp_path, "app"), FIELD.replace(right, wrong))
    done = run(copy, "-c", "import app.children.sections")
    assert done.stderr.splitlines()[-1].endswith(f"Health.blood_type: {says}"), done.stderr
