"""What each kind of error is said to be, in a line."""

import errno
import sys

import asyncpg
import pytest
import typer
from pydantic import BaseModel, ValidationError, model_validator
from sqlalchemy.exc import DBAPIError

from app import cli
from app.cli import running
from app.core.data.db import TemporarilyUnavailable
from app.core.processes import PortTaken


class Choosy(BaseModel):
    """Has a rule of its own."""

    data_dir: int

    @model_validator(mode="after")
    def refuse(self) -> "Choosy":
        raise ValueError("a pooler needs more")


def invalid(**values: object) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        Choosy.model_validate(values)
    return refused.value


def wrapped(error: Exception) -> DBAPIError:
    orig = Exception("as the driver's adapter says it")
    orig.__cause__ = error
    return DBAPIError("SELECT", {}, orig)


def away(error: Exception | None) -> TemporarilyUnavailable:
    said = TemporarilyUnavailable()
    said.__cause__ = error
    return said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (typer.BadParameter("not so"), "Invalid value: not so (`tonghu --help` says how)"),
        (typer.Abort(), "Given up."),
        (
            PortTaken("127.0.0.1", 1, OSError(98, "Address in use"), "Choose another."),
            "Cannot listen on 127.0.0.1, port 1: Address in use. Choose another.",
        ),
        (
            wrapped(asyncpg.UndefinedColumnError("no column x")),
            "The database is not of this version (no column x): run `tonghu migrate`.",
        ),
        (asyncpg.InsufficientPrivilegeError("no right"), "The database refuses: no right."),
        (invalid(data_dir=[]), "TONGHU_DATA_DIR: Input should be a valid integer"),
        (invalid(data_dir=1), "a pooler needs more"),
        (OSError(errno.ENOSPC, "-"), "No room left on the disk to write."),
        (
            PermissionError(errno.EACCES, "Permission denied", "/run/secrets/keys"),
            "The system refuses /run/secrets/keys: Permission denied.",
        ),
        (OSError("odd"), "The system refuses: OSError."),
        (away(None), "The database cannot be reached: no answer in time."),
        (away(TimeoutError()), "The database cannot be reached: no answer in time."),
        (
            away(PermissionError(errno.EACCES, "Permission denied", "/root/.pgpass")),
            "The database cannot be reached: Permission denied: /root/.pgpass.",
        ),
        (away(ConnectionError()), "The database cannot be reached: ConnectionError."),
        (
            away(asyncpg.ProtocolViolationError("unsupported startup parameter: jit")),
            (
                "The database cannot be reached: unsupported startup parameter: jit; if a pooler"
                " answers there, set TONGHU_DATABASE__BEHIND_PGBOUNCER=true."
            ),
        ),
        (RuntimeError("120119200001011234"), "A fault of the program: RuntimeError."),
    ],
)
def test_it_is_one_line(error: Exception, said: str) -> None:
    assert [*running._lines(error)] == [said]


@pytest.mark.parametrize("error", [OSError("x"), ExceptionGroup("together", [OSError("x")])])
def test_of_tasks_that_ran_together_the_first_is_told(error, monkeypatch, capsys) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(running, "_run", fail)
    with pytest.raises(SystemExit) as ended:
        running.run()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "The system refuses: OSError.\n"


@pytest.mark.parametrize(("arguments", "code"), [(["keys"], 2), (["keys", "list", "/none"], 2)])
def test_a_group_without_a_command_prints_its_help(arguments, code, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["tonghu", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert ("Usage" in said.out + said.err) == (len(arguments) == 1)


def test_the_list_is_printed_here_too(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["tonghu", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "migrate" in capsys.readouterr().out
