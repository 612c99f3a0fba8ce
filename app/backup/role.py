"""Who makes backups: a role that sees every row, or what it makes lacks most without a word."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg

from app.backup.programs import BackupRefused
from app.core.data.db import TemporarilyUnavailable

_WHO = """
SELECT current_user::text AS name, r.rolbypassrls OR r.rolsuper AS sees_rows,
    r.rolsuper OR pg_has_role(r.oid, 'pg_read_all_data', 'USAGE') AS reads_tables,
    r.rolreplication OR r.rolsuper AS copies_files
FROM pg_roles r WHERE r.rolname = current_user
"""
_SERVER = """
SELECT current_setting('server_version_num')::int / 10000 AS version,
    current_database()::text AS database,
    (SELECT rolname FROM pg_roles WHERE oid = 10)::text AS superuser,
    (SELECT system_identifier::text FROM pg_control_system()) AS system,
    (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
    to_regclass('public.alembic_version') IS NOT NULL AS migrated,
    EXISTS (SELECT FROM pg_tablespace WHERE oid >= 16384) AS tablespaces
"""
TABLES = """
SELECT c.relname::text AS name FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1
"""
"""Those that hold rows: of a table in parts, the parts."""


class Server(NamedTuple):
    """What a backup is of. `version`: of PostgreSQL; `superuser`: who made the server; `system`:
    its number, which no other has; `timeline`: which of its histories; `revision`: of the schema.
    """

    version: int
    database: str
    superuser: str
    system: str
    timeline: int
    revision: str


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect. Raises TemporarilyUnavailable if nobody answers."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
        raise TemporarilyUnavailable from error
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def seeing_all(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect as a role that sees every row of every table; else raise BackupRefused."""
    async with connected(url) as connection:
        who = await connection.fetchrow(_WHO)
        for may, lack in (
            (who["sees_rows"], "does not see every row: it needs BYPASSRLS"),
            (who["reads_tables"], "may not read every table: it needs pg_read_all_data"),
            (who["copies_files"], "may not copy the server: it needs REPLICATION"),
        ):
            if not may:
                raise BackupRefused(
                    f"The role {who['name']} {lack}. TONGHU_DATABASE__BACKUP_URL names the role"
                    " that makes backups (docs/backup.md)."
                )
        yield connection


async def server(connection: asyncpg.Connection) -> Server:
    """Ask what server this is. Raises BackupRefused for one that a backup could not be of."""
    row = dict(await connection.fetchrow(_SERVER))
    if not row.pop("migrated"):
        raise BackupRefused("The database has no schema yet: run `tonghu migrate`.")
    if row.pop("tablespaces"):
        raise BackupRefused("The server keeps tablespaces of its own, which are not backed up.")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    return Server(**row, revision=revision or "")


async def counts(connection: asyncpg.Connection) -> dict[str, int]:
    """Count the rows of every table that holds some."""
    names = [row["name"] for row in await connection.fetch(TABLES)]
    return {
        name: await connection.fetchval(f'SELECT count(*) FROM public."{name}"') for name in names
    }
