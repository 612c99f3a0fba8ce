"""Time passes for what is known of keys, which commands and processes compare with the clock."""

from datetime import timedelta

import asyncpg

from app.core.data.key_checks import KNOWN_FOR

_PASSED = """
UPDATE key_checks SET since = since - $1::interval, used_since = used_since - $1::interval
"""


async def passed(connection: asyncpg.Connection, long: timedelta = KNOWN_FOR) -> None:
    """Let as long pass, as a key is known before it is used."""
    await connection.execute(_PASSED, long)
