"""Write the tables of docs/supply.md from the lock files and what is installed."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs/supply.md"
_PACKAGE = re.compile(
    r"^([a-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)(?: ; ([^\\]+?))? \\\n(.*?)(?=^\S|\Z)",
    re.MULTILINE | re.DOTALL,
)
_FIRST = "## Runs with it"
_COLUMNS = "| package | version | licence | KiB | what it is | needed by |"


def packages(lock: str) -> dict[str, tuple[str, str, str]]:
    """Return the packages of a lock file: version, on which platforms, and what needs them."""
    text = (HOME / lock).read_text("utf-8")
    found = {}
    for name, version, marker, rest in _PACKAGE.findall(text):
        via = re.findall(r"^    #\s+(?:via )?(\S+)", rest, re.MULTILINE)
        needed = ", ".join(each for each in via if each != "via")
        found[name] = (version, marker.strip(), needed)
    return found


def _licence(package: Distribution) -> str:
    said = package.metadata
    if expression := said.get("License-Expression"):
        return expression
    classified = [
        each.rpartition(":: ")[2]
        for each in said.get_all("Classifier") or ()
        if each.startswith("License ::")
    ]
    return ", ".join(classified) or (said.get("License") or "not said").splitlines()[0][:40]


def _kilobytes(package: Distribution) -> int:
    files = [Path(str(package.locate_file(each))) for each in package.files or ()]
    return sum(each.stat().st_size for each in files if each.is_file()) // 1024


def _row(name: str, version: str, marker: str, needed: str) -> str:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        told = ("–", "–", f"not on Linux ({marker or 'another platform'})")
    else:
        purpose = (package.metadata.get("Summary") or "").replace("|", "/").rstrip(".")
        told = (_licence(package), f"{_kilobytes(package):,}", purpose)
    return f"| {' | '.join((name, version, *told, needed))} |\n"


def page() -> str:
    """Return the page with its tables made anew; what stands above them stays."""
    run, build = packages("requirements.lock"), packages("requirements-dev.lock")
    text = PAGE.read_text("utf-8").partition(_FIRST)[0]
    for title, of in (
        (_FIRST, run),
        ("## Builds and tests it", {name: build[name] for name in build if name not in run}),
    ):
        text += f"{title}: {len(of)}\n\n{_COLUMNS}\n|---|---|---|---|---|---|\n"
        text += "".join(_row(name, *each) for name, each in of.items()) + "\n"
    return text.rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
