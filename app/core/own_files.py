"""Files that nobody else on the machine reads, at no moment: not even while they are empty, for who
has opened one by then reads what comes.
"""

import os
from pathlib import Path
from typing import IO, Any


def create(path: Path, mode: str = "x") -> IO[Any]:
    """Open a new file for writing. Raises FileExistsError."""
    return open(path, mode, opener=_own)


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
