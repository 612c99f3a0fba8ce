"""The process that seals the audit, apart from web and worker. Run with `tonghu sealer`.

It alone has the role that adds to the log and the key that signs it. Of several one works, the
others wait until it is gone. Where it stops, everything else goes on; what it has not sealed waits.
"""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
import structlog

from app.core import logs, own_files, startup
from app.core.clock import Clock, utc_now
from app.core.data.db import CONNECT_SECONDS, PLANNED_ANEW
from app.core.settings import Environment, SealerSettings
from app.sealing import writing
from app.sealing.notes import BadNote, Signer

ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_lock(hashtext('tonghu sealer'))"
PAUSE_SECONDS: Final = 1.0
_STATEMENT_SECONDS: Final = 600.0
_ORIGIN: Final = "tonghu.local/audit"
SESSION: Final = {
    "application_name": "tonghu sealer",
    "timezone": "UTC",
    "jit": "off",
    **PLANNED_ANEW,
    # Whether an entry has a leaf is looked up, one by one: no plan may read all the leaves.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_ITS_OWN: Final = """
SELECT has_any_column_privilege('audit_entries', 'INSERT, UPDATE')
    OR has_table_privilege('audit_entries', 'DELETE')
"""
_AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
log = structlog.get_logger(__name__)


class NoAuditKey(Exception):
    """The file with the log's key is not there, or holds none."""


def signer(settings: SealerSettings) -> Signer:
    """Read the log's key; outside production, make it on first use. Raises NoAuditKey, and
    OpenKeyFile in production.
    """
    path = settings.audit_key_file or settings.data_dir / "audit.key"
    production = settings.environment is Environment.production
    if not production and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_key(path, Signer.generate(_ORIGIN))
    try:
        if production:
            startup.refuse_open_file(path, "TONGHU_AUDIT_KEY_FILE")
        return Signer.read(path.read_text())
    except (OSError, UnicodeDecodeError, BadNote) as error:
        raise NoAuditKey(
            f"TONGHU_AUDIT_KEY_FILE: {path} holds no key of an audit log ({error}). Make one with"
            " `tonghu audit keygen`."
        ) from None


def write_key(path: Path, key: Signer) -> None:
    """Write a key where no file is yet. Raises FileExistsError."""
    with own_files.create(path) as file:
        file.write(key.write())


async def run(settings: SealerSettings, *, clock: Clock = utc_now) -> None:
    """Seal until SIGTERM or SIGINT. Raises NoAuditKey, UnsafeDatabaseRole, LogBroken and
    LogForked.
    """
    logs.configure()
    key, stop = signer(settings), asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stop.set)
    async with startup.database_to_seal(settings) as url:
        log.info("sealer.started", by=key.name)
        while not stop.is_set():
            try:
                await _work(url, key, clock, stop)
            except _AWAY as error:
                log.warning("sealer.database_away", reason=type(error).__name__)
                await _pause(stop)
        log.info("sealer.stopped")


async def _work(url: str, key: Signer, clock: Clock, stop: asyncio.Event) -> None:
    """Seal on one connection, once no other sealer does."""
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=_STATEMENT_SECONDS,
        server_settings=SESSION,
    )
    try:
        if await connection.fetchval(_ITS_OWN):
            raise startup.UnsafeDatabaseRole(
                "the sealer's database user may write the audit that it seals; give it a role that"
                " only reads it"
            )
        # Asked again and again: who waits for a lock holds a snapshot, and back what VACUUM does.
        while not await connection.fetchval(ONE_AT_A_TIME):
            await _pause(stop)
            if stop.is_set():
                return
        state = await writing.resume(connection, key.public)
        log.info("sealer.sealing", rows=state.edge.size)
        awaits: list[str] = []
        while not stop.is_set():
            state, sealed = await writing.seal(connection, state, key, clock())
            if sealed.awaits != awaits:
                awaits = sealed.awaits
                log.warning("sealer.awaits_witnesses", rows=len(awaits))
            if sealed.checkpoint is not None:
                log.info("sealer.signed", rows=sealed.checkpoint)
            if not sealed.more:
                await _pause(stop)
    finally:
        with suppress(*_AWAY):
            await connection.close(timeout=CONNECT_SECONDS)


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)
