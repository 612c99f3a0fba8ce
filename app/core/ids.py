"""Primary keys: UUIDv7, made by the app or by a client that was offline (design D3)."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Make a time-ordered UUID (RFC 9562, version 7)."""
    return uuid7()
