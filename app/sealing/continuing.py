"""Whether what is about to be signed goes on from what witnesses hold (ADR 71).

A database that was put back to an earlier point has forgotten what was signed since: who signs on
makes a second history. The witnesses have not forgotten, so they are asked first.
"""

from typing import Final

import asyncpg

from app.sealing import notes, reading
from app.sealing.notes import BadNote, VerifierKey


class LogForked(Exception):
    """A witness holds what was signed and is not in the log: nothing more is signed upon it."""


# Of each witness the largest that is in the log, as it was when they said so, and all that is not.
_PRESENTED: Final = """
SELECT w.name, p.note FROM audit_witnesses w CROSS JOIN LATERAL (
    (SELECT p.note FROM audit_presented p WHERE p.witness_id = w.id AND p.log_key = $1 AND p.kept
     ORDER BY p.size DESC LIMIT 1)
    UNION ALL
    SELECT p.note FROM audit_presented p
    WHERE p.witness_id = w.id AND p.log_key = $1 AND NOT p.kept
) AS p
ORDER BY w.id
"""
_UNASKED: Final = """
SELECT w.name FROM audit_witnesses w WHERE w.ended_at IS NULL AND NOT EXISTS (
    SELECT FROM audit_presented p
    WHERE p.witness_id = w.id AND p.place = $2 AND p.log_key = $1)
ORDER BY w.id
"""


async def refuse_forks(connection: asyncpg.Connection, log: VerifierKey) -> None:
    """Compare what witnesses presented with the log as it is now. Raises LogForked."""
    for row in await connection.fetch(_PRESENTED, str(log)):
        try:
            said = notes.signed(row["note"], log)
        except BadNote:  # not by this log's key: somebody put it there
            continue
        if not await reading.holds(connection, said.size, said.root):
            raise LogForked(
                f"The witness {row['name']} holds a checkpoint of {log.name} at size {said.size}"
                " that is not in the log: the database was put back to an earlier point, or"
                " changed. Nothing more is signed. Keep everything as it is. If it was a restore,"
                " two operators begin another log (docs/backup.md)."
            )


async def unasked(connection: asyncpg.Connection, log: VerifierKey, place: str) -> list[str]:
    """Name the witnesses who did not say yet what they hold, since the database stands here."""
    return [row["name"] for row in await connection.fetch(_UNASKED, str(log), place)]
