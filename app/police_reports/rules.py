"""How a report moves and who reads what of it. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from app.core.clock import within
from app.police_reports.models import Party, State, Step
from app.regions.rules import subtree

_ORDER: Final = tuple(State)

# The state a step leads to, and the earliest state it follows from without being out of order.
_MOVES: Final[Mapping[Step, tuple[State | None, State]]] = {
    Step.DELIVERED: (State.DELIVERED, State.FILED),
    Step.ACKNOWLEDGED: (State.ACKNOWLEDGED, State.FILED),
    Step.FORWARDED: (None, State.FILED),
    Step.DISPATCHED: (State.DISPATCHED, State.ACKNOWLEDGED),
    Step.ASSISTED: (None, State.FILED),
    Step.DISPOSED: (State.HANDLING, State.DISPATCHED),
    Step.OMISSION_CONFIRMED: (None, State.HANDLING),
    Step.OMISSION_REJECTED: (None, State.HANDLING),
    Step.INVESTIGATED: (None, State.FILED),
    Step.TOWNSHIP_NOTIFIED: (State.TOWNSHIP_NOTIFIED, State.HANDLING),
    Step.TOWNSHIP_RECEIVED: (None, State.TOWNSHIP_NOTIFIED),
    Step.ASSESSED: (State.ASSESSED, State.TOWNSHIP_NOTIFIED),
    Step.SERVICES_ARRANGED: (State.SERVICES_ARRANGED, State.ASSESSED),
    Step.CLOSURE_PROPOSED: (None, State.FILED),
    Step.CLOSED: (State.CLOSED, State.ASSESSED),
    Step.REOPENED: (None, State.FILED),
    Step.IDENTIFIED: (None, State.FILED),
    Step.DESCRIBED: (None, State.FILED),
    Step.SUSPECT_NAMED: (None, State.FILED),
    Step.SUSPECT_WITHDRAWN: (None, State.FILED),
    Step.JOINED: (None, State.FILED),
    Step.IDENTIFICATION_WITHDRAWN: (None, State.FILED),
    Step.SEPARATED: (None, State.FILED),
}


def advance(state: State, step: Step) -> tuple[State, bool]:
    """Return the state after a step, and whether the step came out of order.

    A step is never refused and a state never goes back: what arrives early or twice is kept and
    flagged (R24). Measures may be added while the township is at work already.
    """
    leads_to, follows = _MOVES[step]
    after = state if leads_to is None else max(state, leads_to, key=_ORDER.index)
    return after, _ORDER.index(state) < _ORDER.index(follows)


BETWEEN_REPORTS: Final = frozenset({Step.JOINED, Step.SEPARATED})
"""Steps that change nothing of a report itself: its version does not tell of another one."""
_CALM: Final = (
    *(Step.DELIVERED, Step.ASSISTED, Step.OMISSION_CONFIRMED, Step.INVESTIGATED),
    *(Step.TOWNSHIP_RECEIVED, Step.CLOSURE_PROPOSED, Step.CLOSED),
)
REOPENING: Final = frozenset(Step) - BETWEEN_REPORTS - {*_CALM, Step.REOPENED}
"""Steps that say something new of the case: it stays neither closed nor proposed to be closed."""


def reopened(report: Mapping[str, Any], step: Step, *, counts: bool = True) -> State:
    """Return where a closed case stands after a new fact: at the step, so that what follows from it
    is owed again; after one that leads nowhere by itself, at what the police did last.
    """
    leads_to, _ = _MOVES[step]
    if leads_to is not None and counts:
        return leads_to
    if report["disposed_as"]:
        return State.HANDLING
    return State.ACKNOWLEDGED if report["acknowledged_at"] else State.FILED


_OF_THE_CHILD: Final = {Step.ASSESSED, Step.SERVICES_ARRANGED}
"""What was done for the wrong child was not done for the right one."""


def counted(steps: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return which of these steps count, as they were recorded: of what was done for a child, what
    was done for the one it is about now.
    """
    journal = [step for step in steps if step["codes"].get("counted", True)]
    wrong = Step.IDENTIFICATION_WITHDRAWN
    last = max((at for at, step in enumerate(journal) if step["step"] == wrong), default=-1)
    kept = enumerate(journal)
    return [step for at, step in kept if at > last or step["step"] not in _OF_THE_CHILD]


def standing(steps: Iterable[Mapping[str, Any]], police: UUID | None) -> dict[str, Any]:
    """Return what a report says by these steps alone, as they were recorded, for the police in
    charge: how far it came, when they accepted it, what was done, when the child was assessed. Of a
    case that is looked at anew no end is left.
    """
    journal = counted(steps)
    by_id = {str(step["id"]): step["step"] for step in journal}
    said: dict[str, Any] = {"state": State.FILED, "disposed_as": [], "assessed_at": None}
    accepted = dict.fromkeys(("acknowledged_at", "police_reference"))
    for each in journal:
        step, codes = Step(each["step"]), each["codes"]
        if step is Step.FORWARDED:
            said["state"], accepted = State.FILED, dict.fromkeys(accepted)
        elif step is Step.REOPENED and by_id.get(codes["by"]) != Step.SERVICES_ARRANGED:
            said["assessed_at"] = None
        elif step is Step.ASSESSED:
            said["assessed_at"] = each["at"]
        elif step is Step.DISPOSED:
            kinds = {one["kind"] for one in codes.get("handled", [codes])}
            said["disposed_as"] = sorted({*said["disposed_as"], *kinds})
        elif step is Step.ACKNOWLEDGED and each["agency_id"] == police:
            first = accepted["acknowledged_at"] or each["at"]
            number = accepted["police_reference"] or each["reference"]
            accepted = {"acknowledged_at": first, "police_reference": number}
        theirs = step in _POLICE_STEPS or step is Step.DELIVERED
        if step is not Step.CLOSED and (not theirs or each["agency_id"] == police):
            said["state"], _ = advance(said["state"], step)
    return {**said, **accepted}


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report asks of the police: by situation the kinds of disposition that answer it.

    `others`: it names a situation that is in no list. No kind answers that: the police say which of
    the list is meant.
    """

    answers: Mapping[str, frozenset[str]]
    others: bool

    def unanswered(self, kinds: Collection[str]) -> list[str]:
        """List the situations that none of these kinds answers."""
        return sorted(code for code, wanted in self.answers.items() if wanted.isdisjoint(kinds))

    def handled(self, kinds: Collection[str]) -> bool:
        """Tell whether these kinds, together, answer all that was reported."""
        return bool(kinds) and not self.others and not self.unanswered(kinds)

    def takes(self, kinds: Collection[str], before: Collection[str]) -> bool:
        """Tell whether a report disposed of as `before` may now be disposed of as `kinds`: they
        answer something reported, or all that was reported has its answer and this is beside it.
        """
        wanted = frozenset[str]().union(*self.answers.values())
        return not wanted.isdisjoint(kinds) or self.handled(before)


def reported(
    situations: Iterable[str],
    listed: Iterable[Mapping[str, Any]],
    kinds: Iterable[str],
    *,
    others: bool,
) -> Reported:
    """Read what was reported by the list that says how each situation is handled (`handled_as`).
    What that list does not have, any of the `kinds` answers.
    """
    ways = {each["code"]: frozenset(each["handled_as"]) for each in listed}
    anyhow = frozenset(kinds)
    return Reported({code: ways.get(code, anyhow) for code in situations}, others)


def bound_as(
    kind: str, situations: Collection[str], bearers: Iterable[Mapping[str, Any]]
) -> str | None:
    """Return as which bearer of the duty an agency of this kind must report these situations, if it
    must: a text may leave out some of them for a body (REP-02). One in no list is left out by none.
    """
    for each in bearers:
        left_out = set(each.get("except_situations", ()))
        if kind in each["agency_kinds"] and (not situations or set(situations) - left_out):
            code: str = each["code"]
            return code
    return None


def gaps(
    kind: str,
    told: Collection[str],
    required: Iterable[Mapping[str, Any]],
    *,
    in_danger: bool = False,
    situations: Collection[str] = (),
) -> list[tuple[str, ...]]:
    """List what a kind of disposition requires, of a child `in_danger` and after some `situations`
    more, and nobody `told` of, as done or left out; of each gap the measures that would fill it.
    """
    return [
        tuple(each["one_of"])
        for each in required
        if each["kind"] == kind and set(told).isdisjoint(each["one_of"])
        if in_danger or not each.get("in_danger")
        if "reported" not in each or not set(each["reported"]).isdisjoint(situations)
    ]


def referral_of(step_id: UUID, child_id: UUID, place: int) -> UUID:
    """Return the id of the referral that a service of a step is, by its place there."""
    return uuid5(step_id, f"referral {child_id} {place}")


_POLICE_STEPS: Final = {
    Step.ACKNOWLEDGED,
    Step.FORWARDED,
    Step.DISPATCHED,
    Step.DISPOSED,
    Step.OMISSION_CONFIRMED,
    Step.OMISSION_REJECTED,
    Step.INVESTIGATED,
    Step.TOWNSHIP_NOTIFIED,
}


def shows_report(party: Party) -> bool:
    """Whether a party reads who the child is and what happened."""
    return party is not Party.ONLOOKER


def shows_reporter_agency(party: Party) -> bool:
    """Whether a party reads which agency filed it: in a small place that is a person (AZ-9)."""
    return party in {Party.POLICE, Party.REPORTER}


def shows_offices(party: Party) -> bool:
    """Whether a party reads which offices took which step, and under what number. Who reported is
    told what became of it, never by whom.
    """
    return party is not Party.REPORTER


def shows_agency(party: Party, step: Step) -> bool:
    """Whether a party reads which agency took a step: of help, that it is who reported."""
    return shows_reporter_agency(party) if step is Step.ASSISTED else shows_offices(party)


def shows_step(party: Party, step: Step) -> bool:
    """Whether a party learns of a step at all: not who reported, that the child has a file."""
    return party is not Party.REPORTER or step not in _OF_THE_FILE


_OF_THE_FILE: Final = {Step.IDENTIFIED, Step.DESCRIBED, Step.IDENTIFICATION_WITHDRAWN}


def others_of(step: Mapping[str, Any]) -> list[str]:
    """List the other reports a step tells of; who has a part in none of them learns nothing of it,
    and of one that names none since it was taken back likewise.
    """
    if step["step"] not in BETWEEN_REPORTS:
        return []
    codes = step["codes"]
    return codes.get("report_ids") or [codes.get("report_id") or str(UUID(int=0))]


def shows_result(party: Party) -> bool:
    """Whether a party reads what became of the case. Who reported does, in their own terms: what of
    it was accepted and answered, and how it ended (未成年人保护法 Art. 11).
    """
    return party is not Party.ONLOOKER


def shows_details(party: Party, step: Step) -> bool:
    """Whether a party reads what was done in a step, not just that it was.

    Township and civil affairs act on all of it, the police read what the police did; schools and
    other reporters learn that something was done and when. How who reported helps is between them
    and the police: it may tell who they are (AZ-9).
    """
    if step is Step.ASSISTED:
        return party in {Party.POLICE, Party.REPORTER}
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
    """Who has a part in a report: the police of its place, nearest first, the township in charge of
    the child, civil affairs of the place; `also` the offices of where the child lives and lived.
    """

    police: tuple[UUID, ...]
    township: UUID | None
    civil_affairs: tuple[UUID, ...]
    also: tuple[UUID, ...] = ()

    def told(self, *others: UUID | None, hidden: Iterable[UUID]) -> tuple[UUID, ...]:
        """Return who is told what happens, `others` included: never an agency reported (AZ-8)."""
        parties = {self.township, *self.civil_affairs, *self.also, *others}.difference(hidden)
        return tuple(sorted(party for party in parties if party is not None))


def offices(
    found: Iterable[Office],
    lineage: Sequence[int],
    *,
    hidden: Collection[UUID] = (),
    below: int = 0,
    police_below: int = 0,
    home: Sequence[int] = (),
    former: Collection[int] = (),
) -> Offices:
    """Choose the offices in charge of a report: of each kind the nearest up the tree.

    `lineage`: the place and all above it, nearest first; `home` likewise where the child lives,
    whose township comes before that of the place: it knows the family. `former`: where it lived
    before. `hidden`: the agencies reported, which are passed over, as are offices of remits of less
    than `below` codes, and police of less than `police_below`; a township that is passed over, or
    not registered, is replaced by the other one, else by the nearest civil affairs office.
    """
    known = [
        office
        for office in found
        if office.id not in hidden
        and _holds(office, police_below if office.kind == "police" else below)
    ]
    here, there = _near(known, lineage), _near(known, home)
    police, civil_affairs = (
        tuple(office.id for office in here if office.kind == kind)
        for kind in ("police", "civil_affairs")
    )
    near = {
        (kind, where): next((office.id for office in offices if office.kind == kind), None)
        for kind in _PROTECTORS
        for where, offices in (("home", there), ("place", here))
    }
    township = next((office for office in near.values() if office is not None), None)
    beside = {
        near["township_government", "home"],
        near["township_government", "place"],
        *(office.id for office in there if office.kind == "civil_affairs"),
        *(o.id for o in known if o.kind in _PROTECTORS and o.region_code in former),
    } - {township, None, *civil_affairs}
    return Offices(police, township, civil_affairs, tuple(sorted(filter(None, beside))))


_PROTECTORS: Final = ("township_government", "civil_affairs")


def _holds(office: Office, codes: int) -> bool:
    if not codes:
        return True
    lo, hi = subtree(office.region_code)
    return hi - lo >= codes


def _near(found: Iterable[Office], lineage: Sequence[int]) -> list[Office]:
    return sorted(
        (office for office in found if office.region_code in lineage),
        key=lambda office: (lineage.index(office.region_code), office.id),
    )


CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far somebody's clock may run ahead of ours before its word is doubted."""


def is_ahead(step: Mapping[str, Any]) -> bool:
    """Tell whether a step was done, by its sender's clock, after we learnt of it."""
    ahead: bool = within(step["at"]) > step["recorded_at"] + CLOCK_SKEW
    return ahead


def happened(step: Mapping[str, Any], found_at: datetime) -> tuple[datetime, datetime]:
    """Return what orders a journal: when a step was taken, by its sender's clock where that is not
    in doubt, and when we learnt of it. In doubt is a clock ahead of ours, or behind the finding.
    """
    learnt: datetime = step["recorded_at"]
    return (learnt if doubted(step, found_at) else within(step["at"])), learnt


def doubted(step: Mapping[str, Any], found_at: datetime) -> bool:
    """Tell whether the sender's clock cannot be right about a step."""
    before = min(within(found_at), step["recorded_at"]) - within(step["at"]) > CLOCK_SKEW
    return before or is_ahead(step)


def is_told(steps: Iterable[Mapping[str, Any]], found_at: datetime) -> bool:
    """Tell whether the police told the township after all they did (REP-14), by their own clock
    where it is not in doubt.
    """
    told, done = (
        [happened(each, found_at)[0] for each in steps if each["step"] == step]
        for step in (Step.TOWNSHIP_NOTIFIED, Step.DISPOSED)
    )
    return bool(told) and max(told) >= max(done, default=max(told))


def is_overdue(done_at: datetime | None, due_at: datetime, now: datetime) -> bool:
    """Tell whether something not yet done should have been."""
    return done_at is None and now > due_at
