"""Load the child a path names, or answer that there is none; who may do what with files."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from app.access.deps import authenticated, named_in_path, needs
from app.access.principal import Principal
from app.children import queries
from app.children.area import READ, WRITE
from app.core.http.routing import Transaction
from app.core.problems import Problem

ReadsChildren = Annotated[Principal, needs(READ)]
CountsChildren = Annotated[Principal, needs(READ, personal=False)]
WritesChildren = Annotated[Principal, needs(WRITE, shows=True)]
OpensFiles = Annotated[Principal, needs(WRITE, evidence=True)]
ChildId = Annotated[UUID, Path(description="The child's id.")]
TrialId = Annotated[UUID, Path(description="The trial's id.")]


class ChildNotFound(Problem, status=404, denies=True):
    """No such child, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such child"
    title_zh = "没有这名儿童的档案"


ChildInPath = Annotated[
    queries.ChildRef, named_in_path("child_id", "The child's id.", queries.find, ChildNotFound)
]
"""The child named in the path, if the caller may know of it; else 404."""

_Caller = Annotated[Principal, Depends(authenticated)]


async def _meant(
    tx: Transaction,
    principal: _Caller,
    child_id: Annotated[
        UUID, Query(description="The child: by its id, or one of yours that is another name of it.")
    ],
) -> UUID:
    named = await queries.named_by(tx, principal.agency_id, child_id)
    return child_id if named is None else named.child_id


async def _meant_if_any(
    tx: Transaction,
    principal: _Caller,
    child_id: Annotated[
        UUID | None,
        Query(
            description="Only about this child: its id, or one of yours that is another name of it."
        ),
    ] = None,
) -> UUID | None:
    return None if child_id is None else await _meant(tx, principal, child_id)


ChildMeant = Annotated[UUID, Depends(_meant)]
"""The child that the query parameter `child_id` means to the caller's agency."""

ChildFilter = Annotated[UUID | None, Depends(_meant_if_any)]
"""The child that a list is narrowed to by the query parameter `child_id`; None: any."""
