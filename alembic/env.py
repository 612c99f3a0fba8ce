"""Run migrations as the owner role: one at a time, each in its own transaction, in bounded time."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import differences
import gentle
import losing
import sqlalchemy as sa
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from alembic import context
from app import wiring
from app.core.data import db, months, rls

wiring.load()

_SETTINGS = (
    "SET lock_timeout = '5s'",
    "SET statement_timeout = '10min'",
    # A statement that protected rows are hidden from is refused, instead of changing nothing
    # and finding every foreign key in order. See reach.py.
    "SET row_security = off",
)
_HIDDEN = "would be affected by row-level security policy for table "
_ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtext('tonghu alembic'))"
_ROOM = """
DO $$ BEGIN
    IF to_regproc('public.make_months') IS NOT NULL THEN PERFORM public.make_months(); END IF;
END $$
"""
_DONE = "SELECT pg_advisory_unlock(hashtext('tonghu alembic'))"


def _complete(migration: MigrationContext, _: Any, scripts: list[ops.MigrationScript]) -> None:
    """Add what Alembic does not compare; write it so that it does not stop the app."""
    [script] = scripts
    writing, fill = (context.config.attributes.get(name) for name in ("writing", "fill"))
    if migration.connection is None or script.upgrade_ops is None or script.downgrade_ops is None:
        return
    before = differences.standing(migration.connection, "public")
    after = differences.declared(migration.connection)
    differences.refuse_cutting(before, after)
    changes, back = script.upgrade_ops, script.downgrade_ops
    plan = gentle.Plan(before, after, forward=True)
    changes.ops = plan.operations(changes.ops)
    back.ops = gentle.Plan(after, before, forward=False).operations(back.ops)
    if not writing:
        return
    sys.stderr.writelines(f"{sentence}\n" for sentence in plan.lost)
    if fill and changes.ops:
        raise CommandError("The models differ from the revisions: write that one first.")
    if fill:
        changes.ops, back.ops = gentle.filling(fill)
    if not changes.ops:
        scripts.clear()


def _comparable(wanted: Any, name: str | None, kind: str, reflected: bool, found: Any) -> bool:  # noqa: FBT001
    """Leave out months, which no model declares, and indexes under a collation of their own that
    are there: read back from the database they say nothing of it, so that they would be made anew
    each time.
    """
    if kind == "table" and reflected and months.is_part(str(name)):
        return False
    collated = kind == "index" and any(" COLLATE " in str(each) for each in wanted.expressions)
    return found is None or not collated


def _configure(**how: Any) -> None:
    context.configure(
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        include_object=_comparable,
        process_revision_directives=_complete,
        render_item=gentle.plain_type,
        **how,
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say in a line why a revision stopped, without the values of the row it stopped at."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        reason = str(error.orig).partition("\n")[0].partition(">: ")[2] or str(error.orig)
        table = reason.partition(_HIDDEN)[2]
        if table:
            raise CommandError(
                f"A revision touches rows of {table} that row-level security hides from it: put"
                f" the statement in `with every_row({table}):` (from reach import every_row)."
            ) from error
        raise CommandError(
            f"The migration stopped: {reason}. Put that right and run it again."
        ) from error


def _goes_back() -> bool:
    """Tell whether revisions are taken back: only `command.downgrade` runs them by that name."""
    return getattr(context.get_context().opts.get("fn"), "__name__", "") == "downgrade"


def _migrate(connection: sa.Connection) -> None:
    # Two deploys at once: the second waits here, then finds nothing left to do.
    # Asked again and again: a statement that waits holds a snapshot, and the first deploy's
    # CREATE INDEX CONCURRENTLY would wait for that in turn.
    while not connection.exec_driver_sql(_ONE_AT_A_TIME).scalar():
        connection.rollback()
        time.sleep(0.2)
    for statement in _SETTINGS:
        connection.exec_driver_sql(statement)
    connection.commit()
    try:
        _configure(connection=connection)
        if _goes_back() and not context.config.attributes.get("give_up"):
            losing.refuse_to_lose(connection)
        with _explained(), context.begin_transaction():
            context.run_migrations()
        # A service that slept long begins with room for what it writes.
        connection.exec_driver_sql(_ROOM)
        # Its role may have been made after the tables were.
        connection.exec_driver_sql(rls.for_others())
        # /readyz, as the app role, compares this with the revision its program needs.
        connection.exec_driver_sql(f"GRANT SELECT ON alembic_version TO {rls.APP_ROLE}")
        connection.commit()
    finally:
        connection.rollback()
        connection.exec_driver_sql(_DONE)
        connection.commit()


async def _online(url: str) -> None:
    engine = create_async_engine(db.as_sqlalchemy_url(url), poolclass=sa.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


if context.is_offline_mode():
    _configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        for setting in _SETTINGS:
            context.execute(setting)
        context.run_migrations()
else:
    owner_url = context.config.attributes.get("owner_url")
    if owner_url is None:
        raise CommandError(
            "Run `tonghu migrate`. A revision is taken back by tests alone:"
            " docs/decisions/0015-a-revision-is-written-by-a-command.md"
        )
    asyncio.run(_online(owner_url))
