"""The pieces of which a database is made ready: roles, database, extensions."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

BUILTIN_LOCALES_SINCE = (17,)  # PostgreSQL version
APP_ROLE_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "1min",
    "timezone": "UTC",
    "jit": "off",
}
"""What every connection of the app role begins with, also one that a pooler opens for it."""
BACKUP_ROLE = """
ALTER ROLE tonghu_backup BYPASSRLS REPLICATION;
ALTER ROLE tonghu_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO tonghu_backup;
"""
"""Sees every row and copies the server's files; changes nothing."""


async def make_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    """Make a role, or set it back to what it may do, and its password."""
    if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f"CREATE ROLE {role}")
    attributes = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
    written = await admin.fetchval("SELECT quote_literal($1::text)", password)
    await admin.execute(f"ALTER ROLE {role} {attributes} PASSWORD {written}")


async def make_database(admin: asyncpg.Connection, database: str) -> None:
    """Make a database, or see to its owner."""
    known = await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database)
    if known:
        await admin.execute(f"ALTER DATABASE {quoted(database)} OWNER TO tonghu_owner")
        return
    # Code point order, and a character type that knows Chinese letters.
    locale = "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    builtin = admin.get_server_version() >= BUILTIN_LOCALES_SINCE
    if builtin:  # pragma: no branch  a run without a server of its own has none that is older
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8'"
    await admin.execute(
        f"CREATE DATABASE {quoted(database)} OWNER tonghu_owner TEMPLATE template0 "
        f"ENCODING 'UTF8' {locale}"
    )


async def furnish(inside: asyncpg.Connection, database: str) -> bool:
    """Put into a database what every one has; tell whether it knows Chinese letters."""
    await inside.execute(
        f"""
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE EXTENSION IF NOT EXISTS btree_gin;
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO tonghu_app;
        ALTER DATABASE {quoted(database)} SET timezone = 'UTC';
        ALTER DATABASE {quoted(database)} SET log_parameter_max_length_on_error = 0;
        """
    )
    told: bool = await inside.fetchval("SELECT show_trgm('王小明') <> '{}'")
    return told


@contextlib.asynccontextmanager
async def connected(url: str, **changes: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect while the block runs."""
    connection = await asyncpg.connect(url, **changes)
    try:
        yield connection
    finally:
        await connection.close()


def quoted(identifier: str) -> str:
    """Write a name as SQL does."""
    return '"' + identifier.replace('"', '""') + '"'
