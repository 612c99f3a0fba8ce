"""Operator commands: `tonghu --help`. Expected failures print one line and exit with 1."""

import sys

import asyncpg
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app import sealer, wiring
from app.backup.programs import BackupRefused
from app.cli.console import say
from app.cli.serve import serve
from app.core import processes, startup
from app.core.data.db import TemporarilyUnavailable
from app.core.data_files import BadDataFile
from app.core.http.beside import PortTaken
from app.core.problems import Problem
from app.embedded.postgres import EmbeddedDatabaseError
from app.sealing import writing

_REFUSED = (
    *(BadDataFile, EmbeddedDatabaseError, BackupRefused),
    *(startup.UnsafeDatabaseRole, startup.LostSettings, startup.OpenKeyFile),
    *(processes.ProcessesDie, PortTaken),
    *(sealer.NoAuditKey, writing.LogBroken),
)
"""What says itself in a line what is wrong."""
_NO_SUCH_DATABASE = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What is wrong with an address; any other error of the database but a table that is not there is a
fault of ours.
"""


def main() -> None:
    try:
        wiring.load()
        if sys.argv[1:2] == ["serve"]:  # the other commands are no part of a web process
            only = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            only.command()(serve)
            only(sys.argv[2:], prog_name="tonghu serve")
        from app.cli import commands  # noqa: PLC0415

        commands.app()
    except _REFUSED as error:
        say(str(error))
    except TemporarilyUnavailable:
        say("The database cannot be reached.")
    except asyncpg.UndefinedTableError as error:
        say(f"The database is not of this version ({error}): run `tonghu migrate`.")
    except _NO_SUCH_DATABASE as error:
        say(f"The database refuses: {error}.")
    except Problem as refused:
        say(": ".join([refused.title, *(error.detail for error in refused.errors)]))
    except SettingsError as error:
        say(f"No JSON: {error}. A list is written like TONGHU_TRUSTED_PROXIES='[\"10.0.0.7/32\"]'.")
    except ValidationError as error:
        for problem in error.errors():
            place = "__".join(str(step) for step in problem["loc"]).upper()
            said = problem["msg"].removeprefix("Value error, ")
            say(f"TONGHU_{place}: {said}" if place else said)
    sys.exit(1)
