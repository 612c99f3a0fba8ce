"""Keep what the server writes, as it writes it.

PostgreSQL's own program does that over the wire: it syncs, names a segment when it is whole and
tells the server what it has, which keeps the rest (a slot). So nothing runs on the server's
machine, and a crash costs what was written in the last moments, not since the last whole segment.
"""

import asyncio
import signal
from pathlib import Path
from typing import Final

from app.backup import folder as folders
from app.backup import programs, role
from app.backup.programs import BackupRefused
from app.embedded import cluster

SLOT: Final = "tonghu_wal"


async def keep(url: str, folder: Path) -> None:
    """Keep all that is written until this process is told to end. Raises BackupRefused if that
    cannot begin, or ends by itself.
    """
    async with role.seeing_all(url) as connection:
        server = await role.server(connection)
    wal = folders.wal_of(folder, server)
    program = programs.find("pg_receivewal", server.version)
    programs.run(program, f"--slot={SLOT}", "--create-slot", "--if-not-exists", url=url)
    bare, environment = programs.dsn(url)
    arguments = (f"--directory={wal}", f"--slot={SLOT}", "--synchronous", "--no-password")
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={bare}",
        *arguments,
        env=environment,
        preexec_fn=cluster.die_with_parent(signal.SIGTERM),  # else a second one finds the slot held
    )
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, process.terminate)
    try:
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if status != 0:
        raise BackupRefused(f"{program.name} ended with status {status}.")
