"""What may be done with a child's file, by operationId."""

from collections.abc import Mapping
from typing import Final

from app.access.acts import Act
from app.access.scopes import Scope

ACTS: Final[Mapping[str, Act]] = {
    "changeChild": Act(Scope.children_write),
    "readChildHistory": Act(Scope.children_read),
    "listChildVisits": Act(Scope.visits_read),
}
