"""What follows from a file's facts, on a day, under the policy of a region. Pure.

Every rule answers yes, no, or undecided with the facts that are missing. Which rule holds where is
policy (app/policy); what its words mean is in `conditions` and `parents`. Three readings the
sources leave open: a parent who is dead, missing or otherwise unable counts as one without
guardianship capacity; a parent who is away but whom the child lives with is not away; and priority
flags are given to every child in a category, not only to left-behind ones, so that nobody in need
is visited less.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Any, Final

from app.children import conditions
from app.children.answers import Answer, all_of, any_of
from app.children.completeness import lacking, of_school_age
from app.children.conditions import Case
from app.children.day import Day, birthday, first_yearly
from app.children.parents import able, away, parents_of, stands, stayed_behind
from app.children.sections import File
from app.children.sections.guardianship import Guardianship
from app.children.sections.hukou import Hukou
from app.children.told import Told
from app.policy.rules import ParameterValue, effective

ADULT: Final = 18

DERIVED_FROM: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "left_behind": (
        (
            "lbc.age_limit",
            "lbc.parents_rule",
            "lbc.min_absence_months",
            "lbc.visit_home_days",
            "lbc.away_beyond",
            "lbc.hukou_rule",
            "lbc.scope",
        ),
        ("DEF-01", "DEF-02", "DEF-03", "DEF-04", "DEF-05"),
    ),
    "left_behind.counted": (("lbc.counted_hukou",), ("DEF-06",)),
    "orphan": (("orphan.rule",), ("DEF-15",)),
    "unattended": (("unattended.rule_set",), ("DEF-16",)),
    "difficulty": (("difficulty.taxonomy",), ("DEF-10", "DEF-11", "DEF-12", "DEF-13", "DEF-14")),
    "flags": (
        ("priority.flags", "guardian_eval.rule", "school.compulsory"),
        ("DEF-18", "DEF-19", "VIS-02"),
    ),
}
"""What decides each result: policy parameters, and the obligations they carry."""

PARAMETERS: Final = tuple(name for names, _ in DERIVED_FROM.values() for name in names)
"""What `policy_of` reads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules read: a file, and what must be known of it."""

    birth_date: date
    region_code: int
    file: File
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """Categories, priority flags, what of both is undecided, the categories under which a
    statistic counts the child, and what its file lacks; each in a fixed order.
    """

    categories: tuple[str, ...]
    priority_flags: tuple[str, ...]
    undecided: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    next_change_on: date | None = None
    """The first day on which some of this may be otherwise by the calendar alone; None: never."""


Policy = Mapping[str, Any]
"""Value by parameter name, as in force in one region on one day."""


def policy_of(values: Collection[ParameterValue], region_code: int, on: date) -> Policy:
    """Return what `derive` needs of the policy in force in a region on a day. Raises
    ParameterMissing if no region up to the nation sets one of the parameters.
    """
    return {name: effective(values, name, region_code, on).value for name in PARAMETERS}


def age_on(birth_date: date, on: date) -> int:
    """Count completed years; who is born on 29 February turns on 1 March in common years."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def derive(facts: Facts, policy: Policy, on: date) -> Derived:
    """Decide the categories (DEF-01…17) and priority flags (DEF-18, DEF-19) of a child on a day."""
    day = Day(on)
    found, flags = decide(facts, policy, day)
    counted = found.pop(_COUNTED, None)
    categories = [name for name, answer in found.items() if answer.holds]
    uncounted = {"left_behind"} if counted and not counted.holds else set()
    undecided = [name for name, answer in found.items() if answer.holds is None]
    if counted and counted.holds is None:
        undecided.append(_COUNTED)
    return Derived(
        tuple(categories),
        tuple(name for name, answer in flags.items() if answer.holds),
        (*undecided, *(name for name, answer in flags.items() if answer.holds is None)),
        tuple(name for name in categories if name not in uncounted),
        lacking(facts.file, at_school_age=of_school_age(facts.birth_date, day)) if found else (),
        day.changes_on,
    )


_COUNTED: Final = "left_behind.counted"


def decide(facts: Facts, policy: Policy, on: Day) -> tuple[dict[str, Answer], dict[str, Answer]]:
    """Answer for each category, and for a child in one for each priority flag of the policy; none
    of one that has grown up. `left_behind.counted`: of a left-behind child, whether a statistic
    counts it.
    """
    if on.has_come(birthday(facts.birth_date, ADULT)):
        return {}, {}
    severe = policy["unattended.rule_set"]["severe_disability"]
    told = frozenset(each.kind for each in facts.told if each.holds(on))
    parents = parents_of(facts.file, severe, policy["lbc.visit_home_days"], on)
    case = Case(facts.file, facts.birth_date, parents, on, told)
    found = {"left_behind": _left_behind(facts, case, policy)}
    if found["left_behind"].holds:
        found[_COUNTED] = _of_hukou(policy["lbc.counted_hukou"], facts.file.hukou)
    found["orphan"] = _orphan(case, policy["orphan.rule"])
    found["unattended"] = (
        found["orphan"].opposite()
        if found["orphan"].holds
        else _unattended(case, policy["unattended.rule_set"])
    )
    for each in policy["difficulty.taxonomy"]:
        found[f"difficulty.{each['code']}"] = conditions.meets(case, each["any"])
    if not any(answer.holds for answer in found.values()):
        return found, {}
    flags = _flags(case, policy, found["orphan"])
    flags["out_of_school"] = _out_of_school(case, policy["school.compulsory"])
    return found, {name: flags[name] for name in policy["priority.flags"]}


def _left_behind(facts: Facts, case: Case, policy: Policy) -> Answer:
    if case.turned(policy["lbc.age_limit"]):
        return Answer.of(False, "identity.birth_date")
    months, beyond = policy["lbc.min_absence_months"], policy["lbc.away_beyond"]
    gone = [away(each, months, beyond, facts.region_code) for each in case.parents]
    left = all_of(gone)
    if policy["lbc.parents_rule"] == "both_or_one_incapable":
        left = any_of((left, _one_away_other_incapable(case, gone)))
    answers = [left, _of_hukou(policy["lbc.hukou_rule"], facts.file.hukou)]
    if policy["lbc.scope"] == "origin":
        home = facts.file.residence
        answers.append(Answer.of(home.rural_place, "residence.rural_place"))
        answers += [stayed_behind(each, home, facts.birth_date) for each in case.parents]
    return all_of(answers)


def _one_away_other_incapable(case: Case, gone: list[Answer]) -> Answer:
    pairs = list(zip(gone, case.parents, strict=True))
    return any_of(
        all_of((is_gone, able(other).opposite()))
        for (is_gone, _), (_, other) in permutations(pairs, 2)
    )


def _of_hukou(rule: str, hukou: Hukou) -> Answer:
    if rule == "any":
        return Answer.of(True)
    if hukou.type in {"rural", "urban"}:
        return Answer.of(hukou.type == "rural", "hukou.type")
    if hukou.type == "other":
        return Answer.of(hukou.rural_place, "hukou.rural_place")
    # Unregistered children count by their household, and are not struck off for want of an answer.
    unregistered = hukou.registered is False
    return Answer.of(unregistered or None, "hukou.registered" if unregistered else "hukou.type")


def _orphan(case: Case, rule: Mapping[str, Any]) -> Answer:
    if case.turned(rule["age_limit"]):
        return Answer.of(False, "identity.birth_date")
    return conditions.meets(case, rule["any"])


def _unattended(case: Case, rule: Mapping[str, Any]) -> Answer:
    if rule["rule_set"] == "none" or case.turned(rule["age_limit"]):
        return Answer.of(False, "identity.birth_date")
    one, other, least = rule["one_parent"], rule["other_parent"], rule["min_months"]
    pairs = [
        all_of((stands(a, one, least), stands(b, other, least)))
        for a, b in permutations(case.parents, 2)
    ]
    if rule["both_in_other"]:
        pairs.append(all_of(stands(each, other, least) for each in case.parents))
    return any_of(pairs)


def _flags(case: Case, policy: Policy, orphan: Answer) -> dict[str, Answer]:
    gone = [away(each, 0, "any", 0) for each in case.parents]
    unguarded = conditions.nobody_guards(case)
    incapable = _one_away_other_incapable(case, gone)
    poor_when = {
        "no_guardian": unguarded,
        "one_away_other_incapable": incapable,
        "insufficient_capacity": _poorly_evaluated(case.file.guardianship),
    }
    registered = case.file.hukou.registered
    no_hukou = None if registered is None else not registered
    return {
        "orphan": orphan,
        "no_guardian": unguarded,
        "one_away_other_incapable": incapable,
        "poor_guardianship": any_of(
            poor_when[each] for each in policy["guardian_eval.rule"]["poor_when"]
        ),
        "no_hukou": Answer.of(no_hukou, "hukou.registered"),
        "disabled": conditions.disabled(case),
        "ill": conditions.ill(case),
    }


def _poorly_evaluated(said: Guardianship) -> Answer:
    """Poor is poor; that it is not takes grounds (RSK-03)."""
    if said.evaluation is None:
        return Answer.of(None, "guardianship.evaluation")
    if said.evaluation == "poor":
        return Answer.of(True, "guardianship.evaluation")
    return Answer.of(False if said.founded else None, "guardianship.evaluation_grounds")


def _out_of_school(case: Case, rule: Mapping[str, Any]) -> Answer:
    """Whether a child that must be in school is in none (义务教育法 11)."""
    month, day = rule["reckoned_on"]
    begins, ends = (
        first_yearly(month, day, since=birthday(case.birth_date, age))
        for age in (rule["from_age"], rule["to_age"] + 1)
    )
    if case.on.has_come(ends) or not case.on.has_come(begins):
        return Answer.of(False, "identity.birth_date")
    education = case.file.education
    if education.status == "graduated" or education.stage in _AFTER_COMPULSORY:
        return Answer.of(False, "education.stage")
    if "out_of_school" in case.told:
        return Answer.of(True, "education.told")
    status = education.status
    return Answer.of(
        None if status is None else status in {"dropout", "not_in_school"}, "education.status"
    )


_AFTER_COMPULSORY: Final = frozenset({"senior_secondary", "vocational"})
