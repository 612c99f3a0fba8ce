"""Load the child a path names, or answer that there is none; who may do what with files."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from app.access.deps import authenticated, needs
from app.access.principal import Principal
from app.children import queries
from app.children.area import READ, WRITE
from app.core.http.routing import Transaction
from app.core.problems import Problem

ReadsChildren = Annotated[Principal, needs(READ)]
WritesChildren = Annotated[Principal, needs(WRITE)]

ChildId = Annotated[UUID, Path(description="The child's id.")]


class ChildNotFound(Problem):
    """No such child, or none the caller may know of: the same answer (AZ-3)."""

    status = 404
    title = "No such child"
    title_zh = "没有这名儿童的档案"
    denies = True


async def _child_in_path(
    child_id: ChildId,
    tx: Transaction,
    principal: Annotated[Principal, Depends(authenticated)],
) -> queries.ChildRef:
    child = await queries.find(tx, principal, child_id)
    if child is None:
        raise ChildNotFound
    return child


ChildInPath = Annotated[queries.ChildRef, Depends(_child_in_path)]
"""The child named in the path, if the caller may know of it; else 404."""
