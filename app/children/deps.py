"""Load the child a path names, or answer that there is none; who may do what with files."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children import queries
from app.children.area import READ, WRITE
from app.core.problems import Problem

ReadsChildren = Annotated[Principal, needs(READ)]
WritesChildren = Annotated[Principal, needs(WRITE)]
ChildId = Annotated[UUID, Path(description="The child's id.")]


class ChildNotFound(Problem, status=404, denies=True):
    """No such child, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such child"
    title_zh = "没有这名儿童的档案"


ChildInPath = Annotated[
    queries.ChildRef, named_in_path("child_id", "The child's id.", queries.find, ChildNotFound)
]
"""The child named in the path, if the caller may know of it; else 404."""
