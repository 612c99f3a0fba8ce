"""What may be done with a visit, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act

ACTS: Final[Mapping[str, Act]] = {
    "correctVisit": Act("visits:write"),
    "listVisitVersions": Act("visits:read"),
}
