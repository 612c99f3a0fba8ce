"""What is written in tests of bad input, for the other files."""

from tests.api.test_bad_input import stage, world

__all__ = ["stage", "world"]
