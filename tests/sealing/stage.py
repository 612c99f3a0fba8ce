"""A log on a real database: entries are recorded as the product does, sealed as its sealer does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import asyncpg

from app.audit import operations as audit
from app.audit.operations import SYSTEM as ACTOR
from app.core.data import db
from app.core.http.shown import Seen
from app.core.ids import new_id
from app.sealing import exporting, writing
from app.sealing.notes import Signer
from app.sealing.writing import CHECKPOINT_EVERY, Sealed, State
from tests.conftest import NOW

KEY = Signer.generate("test.example/audit")


async def look(tx: db.Tx, operation: str = "readChild") -> None:
    """Record that somebody looked at a child."""
    await audit.record(tx, ACTOR, operation, Seen(children=(new_id(),), groups=("identity",)))


async def looks(database: db.Database, many: int) -> None:
    async with database.begin(db.SYSTEM) as tx:
        for _ in range(many):
            await look(tx)


@dataclass
class Log:
    """A sealer by hand, and those who keep what it signs."""

    url: str
    connection: asyncpg.Connection
    state: State
    key: Signer = KEY
    now: datetime = NOW
    held: list[str] = field(default_factory=list)

    async def seal(self, *, later: bool = True) -> Sealed:
        """Seal once, half a minute after the last time; keep what is signed."""
        self.now += CHECKPOINT_EVERY if later else CHECKPOINT_EVERY / 100
        self.state, sealed = await writing.seal(self.connection, self.state, self.key, self.now)
        if sealed.checkpoint is not None:
            said = "SELECT note FROM audit_checkpoints WHERE size = $1"
            self.held.append(await self.connection.fetchval(said, sealed.checkpoint))
        return sealed

    async def again(self) -> None:
        """Begin anew, as a sealer does that was killed."""
        self.connection.terminate()
        self.connection = await asyncpg.connect(self.url)
        self.state = await writing.resume(self.connection, self.key.public)

    def keep(self, folder: Path) -> Path:
        """Write what was signed where a witness keeps it."""
        folder.mkdir(exist_ok=True)
        for number, note in enumerate(self.held):
            (folder / f"{number:03}").write_text(note, "utf-8")
        return folder


@asynccontextmanager
async def a_log(url: str, key: Signer = KEY) -> AsyncIterator[Log]:
    connection = await asyncpg.connect(url)
    log = Log(url, connection, await writing.resume(connection, key.public), key)
    try:
        yield log
    finally:
        await log.connection.close()


async def exported(database: db.Database, begins: int = 0, ends: int | None = None) -> list[bytes]:
    """The lines of an export."""

    def begin():
        return database.begin(db.SYSTEM)

    return [line async for _, line in exporting.lines(begin, begins, ends)]
