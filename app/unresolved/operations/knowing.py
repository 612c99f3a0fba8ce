"""By what a claim and what was sent are known again, whichever index key was the first then."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

from app.children import indexes
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.unresolved import queries
from app.unresolved.models import UnresolvedKind

# What is open is asked once: a twin keeps the key of before until one of them is settled.
_RENEWED: Final = """
UPDATE unresolved u SET claim = n.now FROM unnest($1::bytea[], $2::bytea[]) AS n (before, now)
WHERE u.claim = n.before AND NOT (u.state = 'open' AND EXISTS (
    SELECT FROM unresolved t WHERE t.agency_id = u.agency_id AND t.kind = u.kind
    AND t.claim = n.now AND t.state = 'open'))
"""
_FIRST_RENEWED: Final = """
UPDATE unresolved u SET first_claim = n.now
FROM unnest($1::bytea[], $2::bytea[]) AS n (before, now) WHERE u.first_claim = n.before
"""


class Piece(Protocol):
    """What of a piece is needed here."""

    @property
    def sent(self) -> bytes: ...
    @property
    def known_by(self) -> bytes | None: ...


def claim_index(tx: Tx, claim: Mapping[str, Any]) -> bytes:
    """Make the key under which a claim is looked up: what a file that appears is compared with."""
    if claim.get("student"):
        student = claim["student"]
        return indexes.external_index(tx.keyring, student["system"], student["number"])
    return UUID(str(claim["child_id"])).bytes


async def renew(tx: Tx, claims: Iterable[Mapping[str, Any]]) -> None:
    """Have claims found by the index key of now that were written by one before."""
    pairs = []
    for claim in claims:
        if len(tx.keyring.index) > 1 and (student := claim.get("student")):
            now = claim_index(tx, claim)
            known = indexes.external_spellings(tx.keyring, student["system"], student["number"])
            pairs += [(each, now) for each in sorted(known - {now})]
    if pairs:
        async with tx.as_system():
            for statement in (_RENEWED, _FIRST_RENEWED):
                await tx.connection.execute(statement, *map(list, zip(*pairs, strict=True)))


_SOME: Final = """
SELECT id, claim_sealed, first_claim_sealed FROM unresolved
WHERE id > $1 AND (length(claim) = 32 OR length(first_claim) = 32) ORDER BY id LIMIT 200
"""


async def renew_next(tx: Tx, after: UUID) -> UUID | None:
    """Renew the next claims, in SYSTEM's reach; return the last of them, None if there are no more.
    An id is no blind index: it has another length.
    """
    rows = await tx.connection.fetch(_SOME, after)
    said = (queries.claim_of(tx, row, name) for row in rows for name in _CLAIMS)
    await renew(tx, (claim for claim in said if claim))
    return rows[-1]["id"] if rows else None


_CLAIMS: Final = ("claim_sealed", "first_claim_sealed")


def digests(tx: Tx, kind: UnresolvedKind, piece: Piece) -> list[bytes]:
    """Digest what a piece is known by, as it is kept now first, and all of it: so the release
    before knew it again.
    """
    said = (piece.sent if piece.known_by is None else piece.known_by, piece.sent)
    return [_digest(ring, kind, each) for ring in tx.keyring.each() for each in said]


def digest(tx: Tx, kind: UnresolvedKind, sent: bytes) -> bytes:
    """Digest what was sent, to know it again."""
    return _digest(tx.keyring, kind, sent)


def _digest(ring: Keyring, kind: UnresolvedKind, sent: bytes) -> bytes:
    return ring.blind_index(f"unresolved {kind}", sent.decode())
