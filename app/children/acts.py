"""What may be done with a child's file, by operationId."""

from typing import Final

from app.access.acts import Act

ACTS: Final[dict[str, Act]] = {
    "changeChild": Act("children:write"),
    "readChildHistory": Act("children:read"),
    "readChildReasons": Act("children:read"),
    "listChildEnrolments": Act("children:read"),
    "listChildReaders": Act("child_readers:read"),
}
"""Higher packages, in their `area.py`, add the lists that they hang below a child."""
