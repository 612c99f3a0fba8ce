"""The words in which policy defines classes of children, and what they mean in a file. Pure.

A definition is a list of conditions, of which one is enough. A condition names a fact of `FACTS`,
or statuses that one parent and the other have, or both; `min_months` says how long they must last,
`unless` a fact that must not be the case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Any, Final

from app.children.answers import Answer, all_of, any_of
from app.children.day import Day, birthday
from app.children.parents import ParentOn, able, stands
from app.children.sections import File
from app.children.told import Kind

Condition = Mapping[str, Any]
UNDER_16: Final = 16
UNDER_8: Final = 8
"""未成年人保护法 art. 21."""


@dataclass(frozen=True, slots=True)
class Case:
    """A file on a day, with what its rules have in common."""

    file: File
    birth_date: date
    parents: list[ParentOn]
    on: Day
    told: frozenset[Kind] = frozenset()

    def turned(self, years: int) -> bool:
        """Whether the child has completed so many years."""
        return self.on.has_come(birthday(self.birth_date, years))


def meets(case: Case, conditions: Sequence[Condition]) -> Answer:
    """Whether the file meets one of the conditions."""
    return any_of(_meets(case, each) for each in conditions)


def _meets(case: Case, condition: Condition) -> Answer:
    needed = condition.get("min_months")
    if "fact" in condition:
        answer = FACTS[condition["fact"]](case)
    elif "both" in condition:
        answer = all_of(stands(each, condition["both"], needed) for each in case.parents)
    else:
        answer = any_of(
            all_of((stands(a, condition["one"], needed), stands(b, condition["other"], needed)))
            for a, b in permutations(case.parents, 2)
        )
    if "unless" in condition:
        return all_of((answer, FACTS[condition["unless"]](case).opposite()))
    return answer


def _poor(case: Case) -> Answer:
    return Answer.of(case.file.welfare.poor, "welfare.poor")


def disabled(case: Case) -> Answer:
    """Whether the child is disabled, with a card or without."""
    health = case.file.health
    if health.disability_card_no:
        return Answer.of(True, "health.disability_card_no")
    if health.disability_type or health.disability_grade:
        return Answer.of(True, "health.disability_type")
    return _health(case, "disabled")


def _disability_card(case: Case) -> Answer:
    if case.file.health.disability_card_no:
        return Answer.of(True, "health.disability_card_no")
    found = disabled(case)
    return Answer.of(None, "health.disability_card_no") if found.holds else found


def _seriously_ill(case: Case) -> Answer:
    return _health(case, "seriously_ill")


def ill(case: Case) -> Answer:
    return _health(case, "seriously_ill", "chronic")


def _health(case: Case, *statuses: str) -> Answer:
    status = case.file.health.status
    return Answer.of(None if status is None else status in statuses, "health.status")


def _harmed(case: Case) -> Answer:
    if "harmed" in case.told:
        return Answer.of(True, "guardianship.told")
    return Answer.of(bool(case.file.guardianship.harm), "guardianship.harm")


def nobody_guards(case: Case) -> Answer:
    """Whether nobody looks after the child, whatever a paper says (GRD-01; 未成年人保护法 21)."""
    guardianship, lives_with = case.file.guardianship, case.file.residence.lives_with
    if "alone" in lives_with and not case.turned(UNDER_16):
        return Answer.of(True, "residence.lives_with")
    if guardianship.left_unwatched and not case.turned(UNDER_8):
        return Answer.of(True, "guardianship.left_unwatched")
    kind = guardianship.kind
    return Answer.of(None if kind is None else kind == "none", "guardianship.kind")


def _hardship(case: Case) -> Answer:
    lasting = [
        each for each in case.file.welfare.hardships if case.on.within(each.since, each.until)
    ]
    if any(each.until or not case.on.has_come(each.review_on) for each in lasting):
        return Answer.of(True, "welfare.hardships")
    return Answer.of(None if lasting else False, "welfare.hardships")


def _with_able_parent(case: Case) -> Answer:
    """Whether the child lives with a parent who can look after it."""
    return any_of(
        all_of((Answer.of(each.together, "residence.lives_with"), able(each)))
        for each in case.parents
    )


FACTS: Final[Mapping[str, Callable[[Case], Answer]]] = {
    "poor": _poor,
    "disabled": disabled,
    "disability_card": _disability_card,
    "seriously_ill": _seriously_ill,
    "harmed": _harmed,
    "nobody_guards": nobody_guards,
    "hardship": _hardship,
    "lives_with_able_parent": _with_able_parent,
}
"""What a definition may name, by its word in `parameters.yaml`."""
