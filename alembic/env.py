"""Run migrations as the owner role: one at a time, each in its own transaction, in bounded time."""

import asyncio
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from alembic import context
from app import wiring
from app.core.data import db, rls

wiring.load()

_TIMEOUTS = ("SET lock_timeout = '5s'", "SET statement_timeout = '10min'")
_ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtext('tonghu alembic'))"
_DONE = "SELECT pg_advisory_unlock(hashtext('tonghu alembic'))"


def _wanted(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    only = context.config.attributes.get("tables")
    return kind != "table" or only is None or name in only


def _configure(**how: Any) -> None:
    context.configure(
        include_object=_wanted,
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        **how,
    )


def _migrate(connection: sa.Connection) -> None:
    # Two deploys at once: the second waits here, then finds nothing left to do.
    # Asked again and again: a statement that waits holds a snapshot, and the first deploy's
    # CREATE INDEX CONCURRENTLY would wait for that in turn.
    while not connection.exec_driver_sql(_ONE_AT_A_TIME).scalar():
        connection.rollback()
        time.sleep(0.2)
    for statement in _TIMEOUTS:
        connection.exec_driver_sql(statement)
    connection.commit()
    try:
        _configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
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
        for timeout in _TIMEOUTS:
            context.execute(timeout)
        context.run_migrations()
else:
    asyncio.run(_online(context.config.attributes["owner_url"]))
