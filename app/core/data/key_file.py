"""The key file, and whether a process works with what is in it ([ADR 62]).

[ADR 62]: docs/decisions/0062-keys-prove-themselves.md
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from app.core.clock import utc_now
from app.core.data import key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.wrong_keys import WrongKeys

_LOOK_SECONDS: Final = 2.0
_DO: Final = (
    "give this process the key file of this database (`tonghu keys check FILE` names each key);"
    " until then only reports to the police are taken in"
)
_KEPT: Final = "the keys of before go on, in this process and until it ends; give it the right file"
MADE: Final = "keys.json"
"""The key file that is made where none is given."""
log = structlog.get_logger(__name__)


class KeyFile:
    """Where a process has its keys from; no path: from its settings, for good. `ring`: those that
    it had from there, be they right or wrong.
    """

    def __init__(self, ring: Keyring, path: Path | None = None) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None  # it may have changed since
        self._ring = ring
        self._told = ""

    async def look(self, database: Database) -> bool:
        """Have a process work with the keys of the file if they are those of the database, else
        with none; tell whether that changed. A file that is wrong takes no key from a process whose
        own are right.
        """
        self._renew()
        async with database.begin(SYSTEM, compared=False) as tx:
            rows, wrong = await key_checks.settle(tx, self._ring)
            now = tx.now
        if wrong and self._renew():  # it came while we looked
            return await self.look(database)
        told = "; ".join(map(str, wrong))
        before = database.keyring, database.wrong_keys
        if not wrong:
            ended = key_checks.ended(rows, key_checks.SIGNING)
            if database.wrong_keys is not None:
                log.info("keys.right")
            database.keyring, database.wrong_keys = self._ring.without(*ended), None
        elif self._is_kept(database, rows, now):
            if told != self._told:
                log.error("keys.not_taken", which=told, do=_KEPT)
        else:
            if told != self._told:
                log.error("keys.wrong", which=told, do=_DO)
            # Those of the database change, too: of the spool, and of tokens.
            database.wrong_keys = WrongKeys(told, key_checks.verifying(rows))
            database.keyring = key_checks.for_intake(rows)
        self._told = told
        return (database.keyring, database.wrong_keys) != before

    def _is_kept(self, database: Database, rows: key_checks.Rows, now: datetime) -> bool:
        ours = database.keyring
        if database.wrong_keys is not None or ours == self._ring:
            return False
        return not key_checks.faults(ours, rows, now)

    async def follow(self, database: Database, changed: Callable[[], None]) -> None:
        """Look every two seconds; say so when keys have `changed`. Whatever goes wrong, it is tried
        again: who never looks again stays wrong, or writes by keys that go.
        """
        away, began = False, utc_now()
        while True:
            database.compared = began
            await asyncio.sleep(_LOOK_SECONDS)
            looked = utc_now()  # what it then reads may be of that moment
            try:
                if await self.look(database):
                    changed()
                began = looked
                away = False
            except Exception as error:  # noqa: BLE001
                if not away:
                    log.warning("keys.not_compared", reason=type(error).__name__)
                away = True

    def _renew(self) -> bool:
        """Read the file if it is another; tell whether it was. What cannot be read changes nothing:
        the keys of before go on.
        """
        stamp = self._stamp()
        if self._path is None or stamp == self._read:
            return False
        self._read, before = stamp, self._ring.to_json()
        try:
            self._ring = Keyring.from_json(self._path.read_text())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("keys.not_renewed", reason=type(error).__name__)
            return False
        if self._ring.to_json() != before:
            log.info("keys.renewed", signing=next(iter(self._ring.signing)))
        return True

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_ino)


def load_keyring(*, keys: str | None, keys_file: Path | None, generate_in: Path | None) -> Keyring:
    """Load the keys, or make and keep new ones in `generate_in` (never in production)."""
    if keys is not None:
        return Keyring.from_json(keys)
    if keys_file is not None:
        return Keyring.from_json(keys_file.read_text())
    if generate_in is None:
        raise ValueError("no keys given")
    path = generate_in / MADE
    generate_in.mkdir(parents=True, exist_ok=True)
    temporary = generate_in / f".keys.{os.getpid()}.json"
    if not path.exists():
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(Keyring.generate().to_json())
        with suppress(FileExistsError):
            os.link(temporary, path)  # atomic: two processes starting at once share one file
        temporary.unlink()
    return Keyring.from_json(path.read_text())
