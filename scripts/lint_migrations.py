"""Lint all migrations: no import of the app, no rows changed at once, and their SQL with squawk, as
an upgrade runs it.
"""

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

CHANGED_BY_HAND = re.compile(r"-(below_the_child|fill_no_file_is_another_name)\.py$")
"""Revisions that did, before this was asked."""


def imports_of_the_app() -> Iterator[str]:
    """Yield a sentence for each line that lets a revision change when the app does."""
    for path in sorted((HOME / "alembic" / "versions").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = (
                [getattr(node, "module", None) or ""]
                if isinstance(node, ast.ImportFrom)
                else ([each.name for each in node.names] if isinstance(node, ast.Import) else [])
            )
            if any(module.split(".")[0] == "app" for module in modules):
                yield (
                    f"{path.relative_to(HOME)}:{node.lineno} imports app: the app changes later and"
                    " a revision must not. Write what it needs as SQL."
                )


def rows_changed_at_once() -> Iterator[str]:
    """Yield a sentence for each statement that changes a table's rows in one transaction."""
    for path in sorted((HOME / "alembic" / "versions").glob("*.py")):
        if CHANGED_BY_HAND.search(path.name):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            said = node.value if isinstance(node, ast.Constant) else None
            if isinstance(said, str) and re.search(
                r"\b(UPDATE \w+ (AS )?(\w+ )?SET|DELETE FROM)\b", said
            ):
                yield (
                    f"{path.relative_to(HOME)}:{node.lineno} changes rows in one transaction, and"
                    " whoever writes to them waits. Let in_batches do it (reach.py)."
                )


def main() -> None:
    if found := [*imports_of_the_app(), *rows_changed_at_once()]:
        sys.exit("\n".join(found))
    sql = subprocess.run(
        [str(BIN / "alembic"), "upgrade", "head", "--sql"],
        cwd=HOME,
        check=True,
        capture_output=True,
    ).stdout
    with tempfile.NamedTemporaryFile(suffix=".sql") as file:
        file.write(sql)
        file.flush()
        command = [str(BIN / "squawk"), "--config", str(HOME / ".squawk.toml"), file.name]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
