"""Who checks an export at another agency: a machine with Python, `cryptography` and the verifier,
and nothing of ours.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from sysconfig import get_path

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "verify"
_NEEDED = ("cryptography", "cffi", "_cffi_backend*", "pycparser")
_ISOLATED = ("-S", "-B", "-m", "tonghu_verify")


@dataclass
class Stranger:
    """How they run it."""

    command: list[str]
    environment: dict[str, str]

    def run(self, *arguments: object) -> tuple[int, str]:
        """Run it; returns the exit code and all that it said."""
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            env=self.environment,
            cwd=self.environment["HOME"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def from_the_folder(place: Path) -> Stranger:
    """They were given the folder of the verifier, and have `cryptography`."""
    shutil.copytree(CLIENT / "tonghu_verify", place / "tonghu_verify")
    for name in _NEEDED:
        for found in Path(get_path("platlib")).glob(name):
            (place / found.name).symlink_to(found)
    at = {"HOME": str(place), "PYTHONPATH": str(place)}
    return Stranger([sys.executable, *_ISOLATED], at)


def installed(place: Path) -> Stranger:
    """They installed it by pip, which fetches what it needs."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", CLIENT]
    subprocess.run(pip, check=True, cwd=place)
    home = {"HOME": str(place), "PATH": os.defpath}
    return Stranger([str(place / "bin" / "tonghu-verify")], home)
