"""Primary keys: UUIDv7, made by the app or by a client that was offline (design D3)."""

from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from pydantic import TypeAdapter, ValidationError
from uuid_utils.compat import uuid7

_ID: Final = TypeAdapter(UUID)
_NO_ID: Final = UUID("5c8b8f6e-0b1f-4d5c-9a44-7c1e3f0d2a96")


def new_id() -> UUID:
    """Make a time-ordered UUID (RFC 9562, version 7)."""
    return uuid7()


def is_id(said: Any) -> bool:
    """Tell whether what was sent for an id is a UUID, in any of its spellings."""
    try:
        _ID.validate_python(said)
    except ValidationError:
        return False
    return True


def standing_for(what: str, said: Any) -> UUID:
    """Return the id that stands for what was sent for one and is none: the same for the same, so
    that it is known again.
    """
    return uuid5(_NO_ID, orjson.dumps([what, said], option=orjson.OPT_SORT_KEYS).decode())
