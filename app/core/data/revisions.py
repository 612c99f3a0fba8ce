"""Write the next schema revision from what the models declare."""

import contextlib
import difflib
import io
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from alembic.util import CommandError
from sqlmodel import SQLModel

from alembic import command
from app.core.data import distribution, migrations, rls, versions
from app.embedded import postgres

_MESSAGE = re.compile(r"\w[^\"\\\n]{2,78}")


def write(message: str, *, fill: str | None = None) -> Path | None:
    """Compare the models with the revisions so far; write what changed as the next revision.

    `fill` names a table whose rows are to change instead. Returns the file, or None if nothing
    changed. Raises CommandError, which says what to do.
    """
    if not _MESSAGE.fullmatch(message):
        raise CommandError(
            "Say what changes, on one line of 3 to 79 characters without quotes:"
            ' make migration message="add blood type"'
        )
    if missing := undeclared():
        raise CommandError(missing)
    if fill is not None and fill not in SQLModel.metadata.tables:
        raise CommandError(_no_such_table(fill))
    return _write(message, fill)  # pragma: no cover  tests do, in a copy of the project


def _write(  # pragma: no cover  tests write revisions in a copy of the project
    message: str, fill: str | None
) -> Path | None:
    with (
        postgres.passing("tonghu-revision-") as lease,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        config = migrations.configuration(lease.server.owner_url)
        config.attributes |= {"writing": True, "fill": fill}
        command.upgrade(config, "head")
        number = f"{int(versions.head()) + 1:04d}"
        made = command.revision(config, message, autogenerate=True, rev_id=number)
    # Alembic answers with a list when nothing was left to write.
    if made is None or isinstance(made, list):
        return None
    path = Path(made.path)
    if find_spec("ruff"):
        subprocess.run([sys.executable, "-m", "ruff", "format", "-q", path], check=True)  # noqa: S603
    return path


def undeclared() -> str | None:
    """Say which table nobody said anything about, or which nobody knows; None if all is well."""
    tables = set(SQLModel.metadata.tables)
    for name in sorted(tables - set(rls.TABLES)):
        return (
            f"The table {name} does not say who may see it: call rls.protect, or rls.allow if it"
            " holds nothing personal, beside its model."
        )
    for name in sorted(set(rls.TABLES) - tables):
        return f"No model has the table {name} that rls.protect or rls.allow names."
    columns = {name: table.columns.keys() for name, table in SQLModel.metadata.tables.items()}
    return distribution.undeclared(columns)


def _no_such_table(name: str) -> str:
    near = difflib.get_close_matches(name, sorted(SQLModel.metadata.tables), 1)
    return f"There is no table {name}{f'; do you mean {near[0]}?' if near else '.'}"
