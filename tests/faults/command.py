"""`tonghu ARGUMENTS` in this process, through the entry point of the installed script."""

import os
import sys
from collections.abc import Callable

import pytest

from app import cli

Tonghu = Callable[..., tuple[int, str, str]]
"""Arguments → exit code, output and errors."""


def here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **settings: str
) -> Tonghu:
    """Return how to run a command under these settings alone. A process each takes seconds."""
    for name in list(os.environ):
        if name.startswith("TONGHU_"):
            monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tonghu", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
