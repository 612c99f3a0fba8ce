"""Runs a command, and says in one line what is wrong if it cannot: never a traceback."""

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import asyncpg
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import DBAPIError

from app import sealer, wiring
from app.backup.programs import BackupRefused
from app.cli.console import say
from app.cli.serve import serve
from app.core import logs, processes, settings, startup, tracing
from app.core.data.db import TemporarilyUnavailable
from app.core.data_files import BadDataFile
from app.core.jobs.runner import describe
from app.core.problems import Problem
from app.embedded.postgres import EmbeddedDatabaseError
from app.sealing import continuing, writing

_REFUSED: Final = (
    *(BadDataFile, EmbeddedDatabaseError, settings.UnknownSettings),
    *(startup.UnsafeDatabaseRole, startup.LostSettings),
    *(startup.OpenKeyFile, startup.BadKeyFile),
    *(processes.ProcessesDie, processes.PortTaken),
    *(BackupRefused, sealer.NoAuditKey, writing.LogBroken, continuing.LogForked),
    tracing.NoTracing,
)
"""What says itself in a line what is wrong."""
_OTHER_VERSION: Final = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_NO_SUCH_DATABASE: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
"""What is wrong with an address, or with the role that is named in it."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_USAGE: Final = typer.BadParameter.__mro__[1]
"""What is wrong with how a command is called."""


def run() -> NoReturn:
    """Run the command of this process, and end it."""
    logs.configure(logging.WARNING)  # web and worker say more, once they are known to be that
    try:
        sys.exit(_run() or 0)
    except Exception as error:  # noqa: BLE001  whatever it is, an operator reads a line
        while isinstance(error, ExceptionGroup):  # of tasks that ran together
            error = error.exceptions[0]
        for line in _lines(error):
            say(line)
        _end(2 if isinstance(error, _USAGE) else 1)


def _run() -> Any:
    wiring.load()
    if sys.argv[1:2] == ["serve"]:  # the other commands are no part of a web process
        only = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        only.command()(serve)
        return only(sys.argv[2:], prog_name="tonghu serve", standalone_mode=False)
    from app.cli import commands  # noqa: PLC0415

    return commands.app(prog_name="tonghu", standalone_mode=False)


def _lines(error: BaseException) -> Iterator[str]:
    """Say what is wrong, in a line each."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error
    for kinds, said in _SAID:
        if isinstance(error, kinds):
            yield from said(error)
            return
    yield f"A fault of the program: {describe(error)}."


def _refused(error: Any) -> Iterator[str]:
    yield str(error)


def _given_up(_: Any) -> Iterator[str]:
    yield "Given up."


def _away(error: Any) -> Iterator[str]:
    yield f"The database cannot be reached: {_reason(error.__cause__)}."


def _reason(error: BaseException | None) -> str:
    """Say which address or file it was, and what came of it, as far as that is known."""
    if isinstance(error, TimeoutError) or error is None:
        return "no answer in time"
    words = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
    if "unsupported startup parameter" in words:
        return f"{words}; if a pooler answers there, set TONGHU_DATABASE__BEHIND_PGBOUNCER=true"
    file = getattr(error, "filename", None)
    said = f"{words}: {file}" if file else words
    return " ".join(said.split()).rstrip(".") or type(error).__name__


def _of_another_version(error: Any) -> Iterator[str]:
    yield f"The database is not of this version ({error}): run `tonghu migrate`."


def _not_let_in(error: Any) -> Iterator[str]:
    yield f"The database refuses: {error}."


def _problem(error: Any) -> Iterator[str]:
    yield ": ".join([error.title, *(each.detail for each in error.errors)])


def _no_json(error: Any) -> Iterator[str]:
    example = "TONGHU_TRUSTED_PROXIES='[\"10.0.0.7/32\"]'"
    yield f"No JSON: {error}. A list is written like {example}."


def _usage(error: Any) -> Iterator[str]:
    said = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(context.get_help(), err=True)
        return
    path = context.command_path if context else "tonghu"
    yield f"{said} (`{path} --help` says how)"


def _settings(error: Any) -> Iterator[str]:
    for problem in error.errors():
        place = "__".join(str(step) for step in problem["loc"]).upper()
        said = problem["msg"].removeprefix("Value error, ")
        yield f"TONGHU_{place}: {said}" if place else said


def _of_the_system(error: Any) -> Iterator[str]:
    of = f" {error.filename}" if isinstance(error.filename, str) else ""
    if error.errno in _NO_ROOM:
        yield f"No room left on the disk to write{of}."
        return
    yield f"The system refuses{of}: {error.strerror or type(error).__name__}."


_SAID: Final[tuple[tuple[Any, Callable[[Any], Iterator[str]]], ...]] = (
    (_USAGE, _usage),
    (typer.Abort, _given_up),
    (_REFUSED, _refused),
    (TemporarilyUnavailable, _away),
    (_OTHER_VERSION, _of_another_version),
    (_NO_SUCH_DATABASE, _not_let_in),
    (Problem, _problem),
    (SettingsError, _no_json),
    (ValidationError, _settings),
    (OSError, _of_the_system),
)
"""What is said of each kind of error: of one, the first that it is."""


def _end(code: int) -> NoReturn:
    """End, though what was printed may not be written any more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
