"""What every process does first: reach a database, load keys, refuse a dangerous role (DB-1)."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from app.core.clock import Clock
from app.core.data import rls
from app.core.data.crypto import Keyring
from app.core.data.db import Database, open_engine, session_settings
from app.core.data.key_file import MADE, KeyFile, load_keyring
from app.core.data.replica import Replica
from app.core.settings import Environment, SealerSettings, Settings
from app.embedded import postgres

_LEASE_CHECK_SECONDS = 0.5
_OPENS = {
    "TONGHU_KEYS_FILE": "reads every file of a child",
    "TONGHU_AUDIT_KEY_FILE": "signs another history of who looked",
}
log = structlog.get_logger(__name__)

_DANGER = """
SELECT CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'bypasses row-level security'
    WHEN EXISTS (SELECT FROM pg_roles o WHERE (o.rolsuper OR o.rolbypassrls)
                 AND pg_has_role(r.oid, o.oid, 'MEMBER'))
        THEN 'may act as one that bypasses row-level security'
    WHEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
                   AND pg_has_role(r.oid, c.relowner, 'USAGE')) THEN 'owns tables'
    END
FROM pg_roles r WHERE r.rolname = current_user
"""


_LOST = """
SELECT format('ALTER ROLE %I SET %s = %L', current_user, wanted.name, wanted.setting)
FROM unnest($1::text[], $2::text[]) AS wanted (name, setting) JOIN pg_settings s USING (name)
WHERE wanted.setting <> s.setting ORDER BY wanted.name
"""


class UnsafeDatabaseRole(Exception):
    """The database user could step around row-level security; the process refuses to start."""


class LostSettings(Exception):
    """A pooler lost what a connection is to begin with; the process refuses to start."""


class OpenKeyFile(Exception):
    """Anybody on the machine may read or replace the keys; the process refuses to start."""


class BadKeyFile(Exception):
    """What should hold the keys holds none; the process refuses to start."""


@dataclass(frozen=True, slots=True)
class DatabaseAddresses:
    """DSNs of the app role (requests, jobs), of the owner role (migrations) and of the backup role;
    None: nobody said.
    """

    app_url: str
    owner_url: str
    backup_url: str | None


@asynccontextmanager
async def reachable_database(settings: Settings) -> AsyncIterator[DatabaseAddresses]:
    """Find the configured server, or hold a lease on the embedded one while the block runs."""
    configured = settings.database
    if configured.url is not None:
        owner = configured.owner_url or configured.url
        backup = configured.backup_url.get_secret_value() if configured.backup_url else None
        yield DatabaseAddresses(configured.url.get_secret_value(), owner.get_secret_value(), backup)
        return
    async with _embedded(settings.data_dir) as server:
        yield DatabaseAddresses(server.app_url, server.owner_url, server.backup_url)


@asynccontextmanager
async def database_to_seal(settings: SealerSettings) -> AsyncIterator[str]:
    """Likewise, for the sealer: yield the DSN of its role. Raises UnsafeDatabaseRole if the server
    is not the embedded one and the DSN is not given.
    """
    if settings.database.sealer_url is not None:
        yield settings.database.sealer_url.get_secret_value()
        return
    if settings.database.url is not None:
        raise UnsafeDatabaseRole(
            "the app may not seal what it writes: set TONGHU_DATABASE__SEALER_URL, a DSN of"
            f" {rls.SEALER_ROLE}"
        )
    async with _embedded(settings.data_dir) as server:
        yield server.sealer_url


@asynccontextmanager
async def _embedded(data_dir: Path) -> AsyncIterator[postgres.Server]:
    lease = await asyncio.to_thread(postgres.acquire, data_dir / "postgres")
    watcher = asyncio.create_task(_keep(lease))
    try:
        yield lease.server
    finally:
        watcher.cancel()
        lease.close()


async def _keep(lease: postgres.Lease) -> None:
    """Start the embedded server again if its supervisor was killed; the addresses stay."""
    while True:
        await asyncio.sleep(_LEASE_CHECK_SECONDS)
        if lease.lost:  # pragma: no cover  somebody killed the supervisor
            try:
                await asyncio.to_thread(lease.ensure)
            except postgres.EmbeddedDatabaseError as error:
                log.error("database.not_restarted", reason=type(error).__name__)  # noqa: TRY400
            else:
                log.warning("database.restarted")


def refuse_open_file(keys_file: Path, name: str = "TONGHU_KEYS_FILE") -> None:
    """Raise OpenKeyFile if others than its owner and its group may read a key file, or others than
    its owner write it. A link is as open as what it leads to.
    """
    mode = stat.S_IMODE(keys_file.stat().st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise OpenKeyFile(
            f"{name} may be read or replaced by others (mode {mode:04o}): whoever has it"
            f" {_OPENS[name]}. Run: chmod 0400 {keys_file}; where a secret store"
            " mounts it, have it do so with mode 0400"
        )


def key_file(settings: Settings) -> KeyFile:
    """Return the file that the keys came from, which may change; those of `TONGHU_KEYS` cannot, and
    may become wrong. It is asked for them, for a database has none of those that are wrong.
    """
    path = None if settings.keys else settings.keys_file or settings.data_dir / MADE
    return KeyFile(keyring(settings), path)


def keyring(settings: Settings) -> Keyring:
    """Load the keys; outside production, make them on first use in `data_dir`. Raises OpenKeyFile
    in production, if others on the machine may read or write them, and BadKeyFile.
    """
    if settings.keys is not None and settings.keys_file is not None:
        raise BadKeyFile("TONGHU_KEYS and TONGHU_KEYS_FILE are both set: leave one out")
    if settings.environment is Environment.production and settings.keys_file is not None:
        refuse_open_file(settings.keys_file)
    is_production = settings.environment is Environment.production
    try:
        return load_keyring(
            keys=settings.keys.get_secret_value() if settings.keys else None,
            keys_file=settings.keys_file,
            generate_in=None if is_production else settings.data_dir,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        where = settings.keys_file or (
            "TONGHU_KEYS" if settings.keys else settings.data_dir / "keys.json"
        )
        raise BadKeyFile(
            f"{where} holds no keys. `tonghu keys generate FILE` makes new ones, with which nothing"
            " is read that was kept under others"
        ) from None


@asynccontextmanager
async def open_database(
    settings: Settings,
    clock: Clock,
    *,
    addresses: DatabaseAddresses,
    planned_anew: bool = False,
) -> AsyncIterator[Database]:
    """Open the pool as the app role; `planned_anew`: see `db.PLANNED_ANEW`. Raises
    UnsafeDatabaseRole for a superuser, a role that bypasses row-level security or owns tables,
    LostSettings if a connection has no timeouts.
    """
    database = Database(
        open_engine(addresses.app_url, settings.database, planned_anew=planned_anew),
        keyring(settings),
        clock,
        lock_seconds=settings.database.lock_timeout_ms / 1000,
    )
    try:
        await refuse_unsafe_role(database)
        await _refuse_lost_settings(database, settings)
        await _compare_keys(database)
        yield database
    finally:
        await database.close()


async def _compare_keys(database: Database) -> None:
    with suppress(asyncpg.UndefinedTableError):  # of before keys were compared: `/readyz` says so
        await KeyFile(database.keyring).look(database)


@asynccontextmanager
async def open_replica(
    settings: Settings, clock: Clock, database: Database
) -> AsyncIterator[Replica | None]:
    """Open the replica of a database, if there is one. It may be away: that is found out later.
    Raises UnsafeDatabaseRole and LostSettings if it is there, and they apply.
    """
    if settings.database.read_url is None:
        yield None
        return
    url = settings.database.read_url.get_secret_value()
    engine = open_engine(url, settings.database)

    async def check(there: Database) -> None:
        await refuse_unsafe_role(there)
        await _refuse_lost_settings(there, settings)

    replica = Replica(Database(engine, database.keyring, clock), database, check)
    try:
        await replica.look()
        yield replica
    finally:
        await replica.close()


async def refuse_unsafe_role(database: Database) -> None:
    """Raise UnsafeDatabaseRole unless row-level security binds the connected role."""
    async with database.begin() as tx:
        why = await tx.connection.fetchval(_DANGER)
    if why is not None:
        raise UnsafeDatabaseRole(
            f"the database user {why}; connect as a role like {rls.APP_ROLE} instead"
        )


async def _refuse_lost_settings(database: Database, settings: Settings) -> None:
    wanted = session_settings(settings.database)
    del wanted["application_name"]
    async with database.begin() as tx:
        lost = await tx.connection.fetch(_LOST, list(wanted), list(wanted.values()))
    if lost:
        raise LostSettings(
            "connections do not begin with the timeouts of this process, which a pooler passes on"
            f" only if they are the role's; as superuser: {'; '.join(row[0] for row in lost)};"
            " then RECONNECT in the pooler"
        )
