"""Which problems the tests raise: those a test names by their type, slug or class."""

import ast
import re
from pathlib import Path

from app.api.problem_pages import every_problem

TESTS = Path(__file__).resolve().parents[1]


def named_in_tests() -> set[str]:
    """Return the slugs of problems that appear as words or strings in tests outside this folder."""
    words: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if path.parent != Path(__file__).parent:
            words |= _words(ast.parse(path.read_text()))
    return {kind.slug() for kind in every_problem() if {kind.slug(), kind.__name__} & words}


def _words(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            found |= set(re.findall(r"[a-z0-9-]+", str(node.value)))
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found
