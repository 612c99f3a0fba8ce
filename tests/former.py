"""A database that the release before has used: as a migration leaves it."""

from datetime import datetime

import asyncpg

from app.core.data import former


async def left(owner_url: str, since: datetime, *parts: str) -> None:
    """Leave these parts to be sealed, or all: the migration was then."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.executemany(
            "INSERT INTO former_release (part, since) VALUES ($1, $2)",
            [(part, since) for part in parts or former.PARTS],
        )
    finally:
        await connection.close()


async def parts(connection: asyncpg.Connection) -> set[str]:
    """Return the parts of which something may be left."""
    return {row["part"] for row in await connection.fetch("SELECT part FROM former_release")}
