"""Who asks, and what is asked for: the plain facts an expected answer follows from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Holder = Literal["staff", "machine"]


@dataclass(frozen=True, slots=True)
class Who:
    """A caller: role, how it is held, and the agency and region it is held for; `person`: who."""

    role: str
    holder: Holder
    kind: str
    agency: UUID
    region: int
    person: UUID | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One of everything, in one place and of one agency.

    `region`: where the child lives. `scene`: where what is reported happened. `before`: where the
    child lived when it was. `owner`: the agency that the
    endpoint, delivery, batch, post, client and audit entry belong to; it stands in `owner_region`.
    `accused_before`: whom a report speaks against that this one corrects.
    `unclear_whom`: nobody knows whom its words mean, which say police.
    `addressed`: whom the school wrote to about the alert. `overseer`: the education authority that
    looks after the school. `told_to`: who alone may know of the duty to accept the report; None for
    all of the region. `opener`: the person to whom the child's file was opened in an emergency, in
    the role `opened_as`.
    `ids`: kind → id.
    """

    label: str
    region: int
    scene: int
    before: int | None
    owner: UUID
    owner_region: int
    school: UUID
    police: UUID
    passed_on_by: UUID | None
    reporter: UUID
    suspect: UUID | None
    accused_before: UUID | None
    unclear_whom: bool
    addressed: tuple[UUID, ...]
    overseer: UUID | None
    told_to: tuple[UUID, ...] | None
    opener: UUID
    opened_as: str
    ids: Mapping[str, UUID]
