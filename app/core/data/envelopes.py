"""How sealed values are laid out: what they say of how they were sealed, and under whose key."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

SUITES: Final[Mapping[int, str]] = {
    1: "AES-256-GCM under a data key of the file: its id (4 characters), nonce (12), ciphertext",
    2: "X25519, HKDF-SHA256, AES-256-GCM to a key of the spool: its id (4), point (32), ciphertext",
    3: "AES-256-SIV under a key made of a data key: its id (4), ciphertext",
    4: "AES-256-GCM under a key of its own: whose (1), their id (16), nonce (12), ciphertext",
}
"""What the first byte of every sealed value says: how it was sealed, and how the rest is laid out.
Another suite gets the next number; what was sealed before stays readable until it is sealed anew.
"""
UNDER_DATA_KEY: Final = b"\x01"
TO_PUBLIC: Final = b"\x02"
ALIKE: Final = b"\x03"
UNDER_OWN: Final = b"\x04"
KID_BYTES: Final = 4
OWNER_BYTES: Final = 17
"""Whose key, and their id."""


class DecryptionRefused(Exception):
    """The ciphertext does not belong to this place, or its key is unknown."""


class Erased(DecryptionRefused):
    """Its key is no more: nobody reads this again."""


ERASED: Final = "已删除 (erased)"
"""What is shown where a text stood whose key is no more."""


class KeyNotLoaded(LookupError):
    """The transaction has not looked for the key that is named here (`keys.load`)."""


class Whose(IntEnum):
    """Who has keys of their own, as sealed values name them."""

    child = 1
    report = 2
    reporter = 3


_WHOSE: Final = frozenset(Whose)


class Owner(NamedTuple):
    """Whose key: a child's, a report's, that of who made a report."""

    whose: Whose
    id: UUID

    @property
    def named(self) -> bytes:
        return bytes([self.whose]) + self.id.bytes


def of_child(child_id: UUID) -> Owner:
    return Owner(Whose.child, child_id)


def of_report(report_id: UUID) -> Owner:
    return Owner(Whose.report, report_id)


def of_reporter(report_id: UUID) -> Owner:
    return Owner(Whose.reporter, report_id)


def owner_of(envelope: bytes) -> Owner | None:
    """Return whose key a sealed value names; None for one of the service's, or of no value."""
    if envelope[:1] != UNDER_OWN or len(envelope) < 1 + OWNER_BYTES or envelope[1] not in _WHOSE:
        return None
    return Owner(Whose(envelope[1]), UUID(bytes=bytes(envelope[2 : 1 + OWNER_BYTES])))


def kid_of(envelope: bytes) -> str | None:
    """Return under which data key something was sealed (`Keyring.seal`); None: it was not."""
    kid = envelope[1 : 1 + KID_BYTES]
    return kid.decode(errors="replace") if envelope[:1] == UNDER_DATA_KEY else None
