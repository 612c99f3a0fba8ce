"""Every package's part in the matrix, wherever a `tests/<package>/matrix.py` tells one."""

from importlib import import_module
from pathlib import Path

from tests.matrix.parts import Part

PARTS: tuple[Part, ...] = tuple(
    import_module(f"tests.{file.parent.name}.matrix").PART
    for file in sorted(Path(__file__).parents[1].glob("*/matrix.py"))
)
