"""Which revisions of the schema this program knows, read from the names of their files.

Not by Alembic: web processes ask this too, and do without its 11 MiB.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "alembic" / "versions"


def known() -> tuple[str, ...]:
    """Every revision from the first to the newest; a file's name is `date_revision-words.py`."""
    return tuple(sorted(path.stem.partition("-")[0][-4:] for path in FOLDER.glob("*.py")))


def head() -> str:
    """Return the newest revision."""
    return known()[-1]


@cache
def older() -> frozenset[str]:
    """Return every revision but the newest; read from the folder once."""
    return frozenset(known()[:-1])
