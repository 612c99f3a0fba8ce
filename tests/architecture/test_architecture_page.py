"""docs/architecture.md names files and functions that are there."""

import ast
import re
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
PAGE = (HOME / "docs/architecture.md").read_text("utf-8")


def _functions(path: str) -> set[str]:
    tree = ast.parse((HOME / path).read_text("utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_step_named_is_there() -> None:
    steps = re.findall(r"`(app/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(steps) > 50
    assert [step for step in steps if step[1] not in _functions(step[0])] == []


def test_every_file_named_is_there() -> None:
    named = re.findall(r"`(app/[\w/]+\.\w+)`", PAGE) + re.findall(r"\((decisions/[^)]+)\)", PAGE)
    assert [
        name for name in named if not any((HOME / up / name).exists() for up in ("", "docs"))
    ] == []
