"""What the law asks for and the police left out: for which reasons, and whether these stand
(REP-20, REP-22). Pure.

A reason is given with a disposition and stands until a second person rejects it; given again after
that it is to be judged again, as is another one after the first was confirmed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.police_reports import particulars, rules
from app.police_reports.models import Step
from app.police_reports.particulars import Told


@dataclass(frozen=True, slots=True)
class Standing:
    """`undone`: by kind, what is neither done nor left out for a reason that stands, of each the
    measures of which one does it; `to_judge`: the dispositions that gave a reason nobody has
    judged, in their order; `unjudged`: whether there is such a reason at all, also of what nobody
    asks for so far.
    """

    undone: Mapping[str, Sequence[Sequence[str]]]
    to_judge: tuple[UUID, ...]
    unjudged: bool


def complete(report: Mapping[str, Any]) -> set[str]:
    """Return the kinds of disposition that answer what they are for."""
    return {*report["disposed_as"]} - {*report["incomplete_as"]}


def _reasons(journal: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], UUID | None]:
    """Return, by kind and measure left out, the disposition whose reason is to be judged; None if
    it was confirmed. What was rejected is not left out for a reason.
    """
    given: dict[tuple[str, str], UUID | None] = {}
    for step in journal:
        codes = step["codes"]
        judged = {*map(UUID, codes.get("judged", ()))}
        if step["step"] == Step.DISPOSED:
            for kind, of_kind in particulars.told([codes]).items():
                given |= dict.fromkeys(((kind, each) for each in of_kind.omitted), step["id"])
        elif step["step"] == Step.OMISSION_CONFIRMED:
            given |= dict.fromkeys(each for each, by in given.items() if by in judged)
        elif step["step"] == Step.OMISSION_REJECTED:
            given = {each: by for each, by in given.items() if by not in judged}
    return given


def told(journal: Iterable[Mapping[str, Any]]) -> dict[str, Told]:
    """Return, by kind, what dispositions tell, as they were recorded: of what was left out, that
    whose reason nobody rejected.
    """
    steps = [*journal]
    given = _reasons(steps)
    found = particulars.told(step["codes"] for step in steps if step["step"] == Step.DISPOSED)
    for kind, of_kind in found.items():
        of_kind.omitted = {measure for of, measure in given if of == kind}
    return found


def standing(
    journal: Iterable[Mapping[str, Any]],
    required: Collection[Mapping[str, Any]],
    situations: Collection[str],
) -> Standing:
    """Tell how dispositions and judgements stand that count, as they were recorded, by what is
    `required` in the `situations` reported. What was done is not left out, whatever was said.
    """
    steps = [step for step in journal if step["codes"].get("counted", True)]
    given = _reasons(steps)
    undone, open_, unjudged = dict[str, list[Sequence[str]]](), set[UUID | None](), False
    ever = {each for one in required for each in one.get("reported", ())}
    for kind, of_kind in told(steps).items():
        danger = bool(of_kind.dangers)
        done = of_kind.measures
        for gap in rules.gaps(kind, done, required, in_danger=danger, situations=situations):
            reasons = _of(gap, kind, given)
            if not reasons:
                undone.setdefault(kind, []).append(gap)
            elif None not in reasons:  # else one was confirmed
                open_ |= reasons
        ways = rules.gaps(kind, done, required, in_danger=True, situations=ever)
        unjudged = unjudged or any(any(_of(gap, kind, given)) for gap in ways)
    return Standing(undone, tuple(step["id"] for step in steps if step["id"] in open_), unjudged)


def _of(
    gap: Iterable[str], kind: str, given: Mapping[tuple[str, str], UUID | None]
) -> set[UUID | None]:
    return {given[kind, each] for each in gap if (kind, each) in given}
