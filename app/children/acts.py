"""What may be done with a child's file, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act

ACTS: Final[Mapping[str, Act]] = {
    "changeChild": Act("children:write"),
    "readChildHistory": Act("children:read"),
    "listChildVisits": Act("visits:read"),
}
