"""Make .venv from the lockfile. Needs nothing but a Python with either venv or pip.

Run by `make` whenever the lockfile changed. The project itself is not built: a path file and a
script make it importable and callable in place.
"""

import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
VENV = HOME / ".venv"
PYTHON = VENV / "bin" / "python"
UV = "uv==0.13.9"
VIRTUALENV = "virtualenv==20.39.0"
OLDEST = (3, 11)


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True)


def make_venv() -> None:
    """Create .venv, with virtualenv where Python came without ensurepip (plain Debian)."""
    if PYTHON.exists():
        return
    if subprocess.run([sys.executable, "-c", "import ensurepip"], check=False).returncode == 0:
        run(sys.executable, "-m", "venv", VENV)
        return
    beside = HOME / ".cache" / "virtualenv"
    try:
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", beside, VIRTUALENV)
    except subprocess.CalledProcessError:
        sys.exit("Python has neither venv nor pip. On Debian: apt-get install python3-venv")
    run(
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(beside)!r});"
        f"from virtualenv import cli_run; cli_run([{str(VENV)!r}])",
    )


def make_importable() -> None:
    """Let the virtual environment find the project where it lies, and put `tonghu` on its path."""
    (packages,) = VENV.glob("lib/python3.*/site-packages")
    (packages / "tonghu.pth").write_text(f"{HOME}\n")
    script = VENV / "bin" / "tonghu"
    script.write_text(f"#!{PYTHON}\nfrom app.cli import main\n\nmain()\n")
    script.chmod(0o755)


def main() -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version}")
    make_venv()
    run(PYTHON, "-m", "pip", "install", "--quiet", UV)
    lock = HOME / "requirements-dev.lock"
    run(
        VENV / "bin" / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        PYTHON,
        "--require-hashes",
        "-r",
        lock,
    )
    make_importable()


if __name__ == "__main__":
    main()
