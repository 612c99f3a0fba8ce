"""The key file may change while the service runs: which key signs tokens, and which verify them.

A key is published and verifies from the rotation before the one from which it signs. So whichever
of our processes reads the file first, the tokens it signs are known to all others, and to whoever
keeps our key set for its five minutes.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from app.access.tokens import TokenKeys
from app.core.data.crypto import Keyring

_LOOK_SECONDS: Final = 2.0
log = structlog.get_logger(__name__)


class KeyFile:
    """The file that keys were read from when the process began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = self._stamp()

    def renew(self, keys: TokenKeys) -> bool:
        """Take the keys of tokens from the file if it changed; tell whether they were taken. What
        cannot be read is not: those of before go on.
        """
        stamp = self._stamp()
        if stamp == self._read:
            return False
        self._read = stamp
        try:
            ring = Keyring.from_json(self._path.read_text())
            keys.renew(ring.signing, ring.coming)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("keys.not_renewed", reason=type(error).__name__)
            return False
        log.info("keys.renewed", signing=keys.signing_kid)
        return True

    async def follow(self, keys: TokenKeys) -> None:
        """Look every two seconds."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.renew(keys)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
