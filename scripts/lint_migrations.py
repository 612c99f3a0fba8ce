"""Lint the SQL of all migrations with squawk, as an upgrade would run it."""

import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
BIN = HOME / ".venv" / "bin"


def main() -> None:
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
