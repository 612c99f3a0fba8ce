"""What may be done with a visit, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act
from app.access.scopes import Scope

ACTS: Final[Mapping[str, Act]] = {
    "correctVisit": Act(Scope.visits_write),
    "listVisitVersions": Act(Scope.visits_read),
}
