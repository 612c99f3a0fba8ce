"""How a report moves and who reads what of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.police_reports.models import Party, State, Step

_ORDER: Final = tuple(State)

# The state a step leads to, and the earliest state it follows from without being out of order.
_MOVES: Final[Mapping[Step, tuple[State | None, State]]] = {
    Step.DELIVERED: (State.DELIVERED, State.FILED),
    Step.ACKNOWLEDGED: (State.ACKNOWLEDGED, State.FILED),
    Step.FORWARDED: (None, State.FILED),
    Step.DISPATCHED: (State.DISPATCHED, State.ACKNOWLEDGED),
    Step.DISPOSED: (State.HANDLING, State.DISPATCHED),
    Step.TOWNSHIP_NOTIFIED: (State.TOWNSHIP_NOTIFIED, State.HANDLING),
    Step.TOWNSHIP_RECEIVED: (None, State.TOWNSHIP_NOTIFIED),
    Step.ASSESSED: (State.ASSESSED, State.TOWNSHIP_NOTIFIED),
    Step.SERVICES_ARRANGED: (State.SERVICES_ARRANGED, State.ASSESSED),
    Step.CLOSED: (State.CLOSED, State.ASSESSED),
}


def advance(state: State, step: Step) -> tuple[State, bool]:
    """Return the state after a step, and whether the step came out of order.

    A step is never refused and a state never goes back: what arrives early or twice is kept and
    flagged (R24). Measures may be added while the township is at work already.
    """
    leads_to, follows = _MOVES[step]
    after = state if leads_to is None else max(state, leads_to, key=_ORDER.index)
    return after, _ORDER.index(state) < _ORDER.index(follows)


MEASURES: Final[Mapping[str, frozenset[str]]] = {
    # REP-08
    "living_alone": frozenset(
        {"parents_ordered_to_return", "entrusted_guardian_named", "parents_admonished"}
    ),
    # REP-09
    "guardian_failure": frozenset(
        {"parents_contacted", "parents_returning", "relatives_entrusted"}
    ),
    # REP-10
    "parents_unreachable": frozenset(
        {
            "escorted_to_relative",
            "escorted_to_village_committee",
            "escorted_to_rescue_institution",
            "escorted_to_welfare_institution",
            "parents_notified",
        }
    ),
    # REP-11
    "missing": frozenset({"search_started", "child_found"}),
    # REP-12
    "domestic_violence": frozenset(
        {
            "violence_stopped",
            "warning_letter_issued",
            "civil_affairs_notified",
            "placed_in_shelter",
            "placed_in_rescue_institution",
            "placed_in_welfare_institution",
            "evidence_collected",
            "medical_care_arranged",
            "injury_appraisal_arranged",
        }
    ),
    # REP-13
    "other_harm": frozenset(
        {
            "harm_stopped",
            "child_protected",
            "evidence_collected",
            "medical_care_arranged",
            "injury_appraisal_arranged",
        }
    ),
}
"""What the police do in each kind of situation (REP-08…13)."""

_POLICE_STEPS: Final = {
    Step.ACKNOWLEDGED,
    Step.FORWARDED,
    Step.DISPATCHED,
    Step.DISPOSED,
    Step.TOWNSHIP_NOTIFIED,
}


def shows_report(party: Party) -> bool:
    """Whether a party reads who the child is and what happened."""
    return party is not Party.ONLOOKER


def shows_reporter_agency(party: Party) -> bool:
    """Whether a party reads which agency filed it: in a small place that is a person (AZ-9)."""
    return party in {Party.POLICE, Party.REPORTER}


def shows_details(party: Party, step: Step) -> bool:
    """Whether a party reads what was done in a step, not just that it was.

    Township and civil affairs act on all of it, the police read what the police did; schools and
    other reporters learn that something was done and when.
    """
    if party is Party.PROTECTION:
        return True
    return party is Party.POLICE and step in _POLICE_STEPS


@dataclass(frozen=True, slots=True)
class Office:
    """An agency that may have a part in a report."""

    id: UUID
    kind: str
    region_code: int


@dataclass(frozen=True, slots=True)
class Offices:
    """Who has a part in a report of a place: the police, nearest first, the township in charge,
    civil affairs.
    """

    police: tuple[UUID, ...]
    township: UUID | None
    civil_affairs: tuple[UUID, ...]

    def told(self, *others: UUID | None, suspect: UUID | None) -> tuple[UUID, ...]:
        """Return who is told what happens, `others` included: never the agency reported (AZ-8)."""
        parties = {self.township, *self.civil_affairs, *others} - {suspect}
        return tuple(sorted(party for party in parties if party is not None))


def offices(
    found: Iterable[Office], lineage: Sequence[int], *, suspect: UUID | None = None
) -> Offices:
    """Choose the offices in charge of a place: of each kind the nearest up the tree.

    `lineage`: the place and all above it, nearest first. The agency reported is passed over; a
    township that is reported, or not registered, is replaced by the nearest civil affairs office.
    """
    near = sorted(
        (office for office in found if office.id != suspect and office.region_code in lineage),
        key=lambda office: (lineage.index(office.region_code), office.id),
    )
    first = {office.kind: office.id for office in reversed(near)}
    police, civil_affairs = (
        tuple(office.id for office in near if office.kind == kind)
        for kind in ("police", "civil_affairs")
    )
    return Offices(
        police=police,
        township=first.get("township_government") or first.get("civil_affairs"),
        civil_affairs=civil_affairs,
    )


CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far somebody's clock may run ahead of ours before its word is doubted."""


def is_ahead(step: Mapping[str, Any]) -> bool:
    """Tell whether a step was done, by its sender's clock, after we learnt of it."""
    ahead: bool = step["at"] > step["recorded_at"] + CLOCK_SKEW
    return ahead


def is_overdue(done_at: datetime | None, due_at: datetime, now: datetime) -> bool:
    """Tell whether something not yet done should have been."""
    return done_at is None and now > due_at
