"""Yes, no, or undecided, each with the facts that say so. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Answer:
    """What the facts of a file say to a question: `holds` is None while they do not say.

    `facts`: dotted places in the file, section first, as `family.father.dead`: those that say so,
    or, of an undecided answer, those that are missing.
    """

    holds: bool | None
    facts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, holds: bool | None, *facts: str) -> Self:  # noqa: FBT001  what is answered
        return cls(holds, frozenset(facts))

    def opposite(self) -> "Answer":
        return Answer(None if self.holds is None else not self.holds, self.facts)


def any_of(answers: Iterable[Answer]) -> Answer:
    """Yes if one is; else undecided if one is; else no."""
    return _first((True, None, False), answers)


def all_of(answers: Iterable[Answer]) -> Answer:
    """No if one is; else undecided if one is; else yes."""
    return _first((False, None, True), answers)


def _first(order: tuple[bool | None, ...], answers: Iterable[Answer]) -> Answer:
    given = list(answers)
    said = {each.holds for each in given}
    holds = next((each for each in order[:-1] if each in said), order[-1])
    so = [each for each in given if each.holds is holds]
    return so[0] if len(so) == 1 else Answer(holds, frozenset().union(*(each.facts for each in so)))
