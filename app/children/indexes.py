"""The blind indexes under which the numbers of children are kept, and found."""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from app.children import child_keys, residents, sealing
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.text import canonical_number

_STUDENT_STATUS: Final = "student_status"
"""The system of the ministry of education's student numbers."""

_NATIONAL_NUMBER: Final = re.compile(r"[A-Za-z]?[0-9]{17}[0-9Xx]")
"""A resident number, or a student number made of one: G, L or J before it."""


def external_index(keyring: Keyring, system: str, number: str) -> bytes:
    """Make the blind index under which a number of another system is kept."""
    compared = canonical_number(number)
    # Where letters are known to be nothing but capitals. Elsewhere `a7` and `A7` may be two pupils.
    if system == _STUDENT_STATUS or _NATIONAL_NUMBER.fullmatch(compared):
        compared = compared.upper()
    return _index(keyring, system, compared)


def external_spellings(keyring: Keyring, system: str, number: str) -> set[bytes]:
    """Make every blind index under which a number of another system may be kept."""
    # The second is how numbers were kept before they had one form; their keys are in no migration.
    ways = (external_index, _index)
    return {way(ring, system, number) for ring in keyring.each() for way in ways}


async def number_indexes(tx: Tx, child_id: UUID) -> list[bytes]:
    """Make every blind index of the numbers of others that a file says, in SYSTEM's reach."""
    row = await tx.connection.fetchrow(_NUMBERED, child_id)
    said = numbers_of(tx.keyring, row) if row is not None else {}
    return [
        each
        for numbers in said.values()
        for number in numbers
        for each in external_spellings(tx.keyring, *number)
    ]


def numbers_of(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the numbers of other systems that a file says, (system, number) by section."""
    said = {
        "education": sealing.show(keyring, row, "education")["student_numbers"],
        "external": sealing.show(keyring, row, "external")["numbers"],
    }
    return {
        section: [(each["system"], each["number"]) for each in entries]
        for section, entries in said.items()
    }


NUMBERED: Final = tuple(
    f"c.{column}" for section in ("education", "external") for column in sealing.columns_of(section)
)
_NUMBERED: Final = (
    f"SELECT c.id, {', '.join((*NUMBERED, child_keys.KEY_OF_FILE))} FROM children c WHERE c.id = $1"
)


def _index(keyring: Keyring, system: str, compared: str) -> bytes:
    return keyring.blind_index("child_external_ids", f"{system}\0{compared}")


def resident_index(keyring: Keyring, number: str) -> bytes:
    """Make the blind index under which a resident identity number, as written, is kept."""
    return resident_indexes(keyring, number)[0]


def resident_indexes(keyring: Keyring, number: str) -> list[bytes]:
    """Make every blind index under which a resident identity number may be found: that under which
    it is kept now first.
    """
    return keyring.blind_indexes("resident_ids", residents.canonical(number))
