"""Run every check CI runs, to the end, and print what failed."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
BIN = HOME / ".venv" / "bin"
SPECTRAL = HOME / "openapi" / "node_modules" / ".bin" / "spectral"

CHECKS = {
    "format": [BIN / "ruff", "format", "--check", "."],
    "lint": [BIN / "ruff", "check", "."],
    "types": [BIN / "mypy"],
    "imports": [BIN / "lint-imports"],
    "dependencies": [BIN / "deptry", "."],
    "migrations": [BIN / "python", "scripts/lint_migrations.py"],
    "image": [BIN / "hadolint", "Dockerfile"],
    "tests": [BIN / "pytest", "-q", "-n", "2", "--cov"],
    "plans": [BIN / "python", "-m", "tests.plans"],
}
TOLD = re.compile(r"^(?:databases in|Required test coverage|.* passed).*$", re.MULTILINE)
"""What is printed of tests that pass: where they ran, how much they reach, how many there are."""
API_LINT = ["make", "--no-print-directory", "lint-openapi"]
CONFORMANCE = ["make", "--no-print-directory", "conformance"]


def passes(name: str, command: list[str | Path]) -> bool:
    """Run one check; print a line, and all it said if it failed."""
    started = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=HOME,
        env={
            "TONGHU_PLANS": "50000",
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    good = done.returncode == 0
    print(f"{'ok  ' if good else 'FAIL'} {name} ({time.monotonic() - started:.0f} s)", flush=True)
    said = done.stdout.decode(errors="replace")
    if not good:
        print(said, flush=True)
    elif name == "tests":
        print(*TOLD.findall(said), sep="\n", flush=True)
    return good


def main() -> None:
    checks: dict[str, list[str | Path]] = dict(CHECKS)
    if shutil.which("npm"):
        checks |= {"api lint": [*API_LINT], "conformance": [*CONFORMANCE]}
    elif "CI" in os.environ:
        sys.exit("CI needs npm to lint the API document, and to sign in with others' libraries")
    else:
        print("skip api lint and conformance: no npm here")
    failed = [name for name, command in checks.items() if not passes(name, command)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print("all checks pass")


if __name__ == "__main__":
    main()
