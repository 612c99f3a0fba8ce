"""Who is calling, from where, with what authority; and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from app.access.roles import Purpose, Role, role
from app.audit.operations import Actor


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as the database knows them at this moment (TOK-4).

    `region_lo`/`region_hi`: half-open range of region codes of the remit. `scopes`: what the token
    carries and the role still grants. `served`: the agencies in which the same person ever held a
    post, under whichever id: what an agency must learn nothing of, nobody learns who served it.
    `key`: the thumbprint of the key that proved this request (RFC 9449), None of a bearer's.
    `also`: under which other ids the same person is entered.
    """

    subject: str
    staff_id: UUID | None
    client_id: UUID | None
    agency_id: UUID
    agency_kind: str
    role: Role
    region_code: int
    region_lo: int
    region_hi: int
    scopes: frozenset[str]
    request_id: str
    ip: str | None
    purpose: Purpose | None = None
    authenticated_at: datetime | None = None
    """When a person proved who they are, and with what (RFC 8176); a system does each time."""
    factors: tuple[str, ...] = ()
    served: tuple[UUID, ...] = ()
    key: str | None = None
    also: tuple[UUID, ...] = ()

    @property
    def selves(self) -> list[UUID]:
        """Every id of this person: whoever is asked to be another is none of them (AZ-11). Empty
        for a machine.
        """
        return [] if self.staff_id is None else [self.staff_id, *self.also]

    @property
    def agencies(self) -> list[UUID]:
        """The agency of now, and every one served before."""
        return [*dict.fromkeys([self.agency_id, *self.served])]

    def within(self, region: tuple[int, int] | None) -> tuple[int, int]:
        """Return what of a half-open range of codes lies in the remit; all of that without one."""
        lo, hi = region or (self.region_lo, self.region_hi)
        return max(lo, self.region_lo), min(hi, self.region_hi)

    @property
    def school_id(self) -> UUID | None:
        """The school whose pupils alone are visible, for a caller bound to enrolment."""
        return self.agency_id if self.role.relation == "enrolled" else None

    @property
    def actor(self) -> Actor:
        """How the audit names this caller."""
        return Actor(
            self.subject,
            self.client_id,
            self.agency_id,
            self.role.code,
            self.region_code,
            self.purpose,
            self.request_id,
            self.ip,
        )


_KEPT = TypeAdapter(Principal)


def kept(principal: Principal) -> dict[str, Any]:
    """Write a caller down, as plain data: with the authority of this moment."""
    said = {each.name: getattr(principal, each.name) for each in fields(principal)}
    return {**said, "role": principal.role.code, "scopes": sorted(principal.scopes)}


def as_kept(said: Mapping[str, Any]) -> Principal:
    """Read what `kept` wrote. Raises UnknownRole."""
    return _KEPT.validate_python({**said, "role": role(said["role"])})


@dataclass(frozen=True, slots=True)
class Posting:
    """Somebody in one of their posts: from the day `since` until the day before `until` (None: no
    end is known).
    """

    who: Principal
    since: date
    until: date | None

    def held_on(self, day: date) -> bool:
        """Tell whether they held it on a day."""
        return self.since <= day and (self.until is None or day < self.until)


def acting_on(postings: Sequence[Posting], principal: Principal, day: date) -> Principal:
    """Return as whom a caller speaks of a day: in a post held on it, the present one if it was;
    as they are now if they held none.
    """
    held = [posting.who for posting in postings if posting.held_on(day)]
    return principal if principal in held or not held else held[0]
