"""What `/metrics` says, read."""

import re

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def samples(text: str) -> dict[str, dict[str, float]]:
    """Return of each figure what it is by its labels, as they are written."""
    found: dict[str, dict[str, float]] = {}
    for name, labels, value in SAMPLE.findall(text):
        found.setdefault(name, {})[labels] = float(value)
    return found
