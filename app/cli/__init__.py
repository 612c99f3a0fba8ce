"""Operator commands: `tonghu --help`. What fails says so in one line; the exit code is not 0.

Nothing is imported here: the list of commands is printed before the program is loaded.
"""

import sys


def main() -> None:
    """Run a command, or say which there are."""
    if sys.argv[1:] in ([], ["--help"]):
        from app.cli import overview  # noqa: PLC0415

        overview.show()
        return
    from app.cli import running  # noqa: PLC0415

    running.run()
