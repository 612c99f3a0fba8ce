"""Reads of children's files. Every one starts from `visible`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.access.principal import Principal
from app.core.db import Tx


@dataclass(frozen=True, slots=True)
class Visible:
    """An SQL condition on the alias `c` of `children`, and its arguments.

    `next` is the number the caller's own first parameter gets.
    """

    sql: str
    arguments: tuple[Any, ...]

    @property
    def next(self) -> int:
        return len(self.arguments) + 1


def visible(principal: Principal) -> Visible:
    """Limit `children c` to those this caller may know exist. Every read starts here.

    Row-level security repeats it; the explicit range is what lets an index serve it.
    """
    if principal.role.relation == "none":
        return Visible("false", ())
    span = "c.region_code >= $1 AND c.region_code < $2"
    if principal.school_id is not None:
        return Visible(
            f"{span} AND c.school_id = $3",
            (principal.region_lo, principal.region_hi, principal.school_id),
        )
    return Visible(span, (principal.region_lo, principal.region_hi))


@dataclass(frozen=True, slots=True)
class ChildRef:
    """What other resources need of a child they hang on."""

    id: UUID
    home_county: int
    region_code: int
    school_id: UUID | None


async def find(tx: Tx, principal: Principal, child_id: UUID) -> ChildRef | None:
    """Find one visible child by id."""
    remit = visible(principal)
    row = await tx.connection.fetchrow(
        "SELECT c.id, c.home_county, c.region_code, c.school_id FROM children c"
        f" WHERE {remit.sql} AND c.id = ${remit.next}",
        *remit.arguments,
        child_id,
    )
    return None if row is None else ChildRef(*row)
