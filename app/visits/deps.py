"""Load the visit a path names, or answer that there is none; who may do what with visits."""

from typing import Annotated

import asyncpg

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children import rows
from app.core.problems import Problem
from app.visits.area import READ, WRITE

ReadsVisits = Annotated[Principal, needs(READ)]
WritesVisits = Annotated[Principal, needs(WRITE)]


class VisitNotFound(Problem, status=404, denies=True):
    """No such visit, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such visit"
    title_zh = "没有这条走访记录"


_VISIT = ("visit_id", "The visit's id.", rows.find, VisitNotFound)

VisitInPath = Annotated[asyncpg.Record, named_in_path(*_VISIT, table="visits")]
"""The visit named in the path, if the caller may know of it; else 404."""

VisitToChange = Annotated[asyncpg.Record, named_in_path(*_VISIT, table="visits", for_update=True)]
"""The same, locked until the change is committed."""
