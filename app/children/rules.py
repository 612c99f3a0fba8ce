"""What follows from a file's facts, on a day, under the policy of a region. Pure.

Which rule holds where is policy (app/policy); what the words mean is here. Three readings the
sources leave open: a parent who is dead, missing or otherwise unable counts as one without
guardianship capacity; a parent who is away but whom the child lives with is not away; and priority
flags are given to every child in a category, not only to left-behind ones, so that nobody in need
is visited less.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Any, Final

from app.children.sections import File
from app.children.sections.family import Parent, ParentStatus
from app.children.sections.hukou import Hukou
from app.policy.rules import ParameterValue, effective
from app.regions.rules import county_of, lies_in_a_county, subtree

ADULT: Final = 18
_SCHOOL_AGE: Final = 6  # 义务教育法 art. 11

_UNABLE: Final = frozenset(
    {
        "dead",
        "missing",
        "not_found",
        "lost_contact",
        "left_home",
        "imprisoned",
        "drug_rehabilitation",
        "liberty_restricted",
        "serious_illness",
        "severe_disability",
        "mental_disability",
        "hiv_no_work",
        "guardianship_revoked",
        "deported",
    }
)
_TERMS: Final = frozenset({"imprisoned", "drug_rehabilitation", "liberty_restricted"})

# DEF-13: pairs of parents' statuses, in either order. No minimum duration, unlike the benefit.
_UNGUARDED_PAIRS: Final = (
    ("dead", "missing"),
    ("dead", "remarried"),
    ("dead", "imprisoned"),
    ("missing", "severe_disability"),
    ("missing", "imprisoned"),
    ("severe_disability", "imprisoned"),
    ("missing", "missing"),
    ("imprisoned", "imprisoned"),
)
_ILL: Final = frozenset({"serious_illness", "severe_disability"})

PARAMETERS: Final = (
    "lbc.age_limit",
    "lbc.parents_rule",
    "lbc.min_absence_months",
    "lbc.hukou_rule",
    "lbc.scope",
    "difficulty.taxonomy",
    "orphan.rule",
    "unattended.rule_set",
    "priority.flags",
    "guardian_eval.rule",
)
"""What `policy_of` reads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules read: a file, and what must be known of it."""

    birth_date: date
    region_code: int
    file: File


@dataclass(frozen=True, slots=True)
class Derived:
    """Categories and priority flags, each in a fixed order."""

    categories: tuple[str, ...]
    priority_flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Parent:
    """One parent on the day: what is the case, and what has been the case long enough."""

    statuses: frozenset[str]
    away_months: int | None
    lasting: frozenset[str]
    able: bool


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
    if age_on(facts.birth_date, on) >= ADULT:
        return Derived((), ())
    parents = _parents(facts, policy, on)
    categories = []
    if _left_behind(facts, parents, policy, on):
        categories.append("left_behind")
    if _orphan(facts, parents, policy["orphan.rule"], on):
        categories.append("orphan")
    elif _unattended(facts, parents, policy["unattended.rule_set"], on):
        categories.append("unattended")
    classes = [entry["code"] for entry in policy["difficulty.taxonomy"]]
    found = _difficulties(facts, parents, on)
    categories += [f"difficulty.{code}" for code in classes if code in found]
    if not categories:
        return Derived((), ())
    holding = _flags(facts, parents, policy, categories, on)
    return Derived(
        tuple(categories), tuple(flag for flag in policy["priority.flags"] if flag in holding)
    )


def months_between(since: date, on: date) -> int:
    """Count completed months; negative before `since`."""
    return (on.year - since.year) * 12 + on.month - since.month - (on.day < since.day)


def _parents(facts: Facts, policy: Policy, on: date) -> list[_Parent]:
    minimum = policy["unattended.rule_set"]["min_months"]
    lives_with = facts.file.residence.lives_with
    return [
        _parent(parent, minimum, on, together=parent.role in lives_with)
        for parent in facts.file.family.parents
    ]


def _parent(parent: Parent, minimum: Mapping[str, int], on: date, *, together: bool) -> _Parent:
    current = [entry for entry in parent.statuses if _holds(entry, on)]
    statuses = frozenset(entry.status for entry in current)
    away = [_months(entry, on) for entry in current if entry.status == "away"]
    return _Parent(
        statuses=statuses,
        away_months=max(away) if away and not together else None,
        lasting=frozenset(entry.status for entry in current if _lasts(entry, minimum, on)),
        able=parent.guardianship_capacity != "none" and not statuses & _UNABLE,
    )


def _holds(entry: ParentStatus, on: date) -> bool:
    return (entry.since is None or entry.since <= on) and (entry.until is None or on <= entry.until)


def _months(entry: ParentStatus, on: date) -> int:
    return 0 if entry.since is None else months_between(entry.since, on)


def _lasts(entry: ParentStatus, minimum: Mapping[str, int], on: date) -> bool:
    needed = minimum.get(entry.status, 0)
    if entry.status in _TERMS:
        return (entry.term_months or 0) >= needed
    return _months(entry, on) >= needed


def _left_behind(facts: Facts, parents: list[_Parent], policy: Policy, on: date) -> bool:
    if age_on(facts.birth_date, on) >= policy["lbc.age_limit"]:
        return False
    if policy["lbc.hukou_rule"] == "rural" and not _rural(facts.file.hukou):
        return False
    if policy["lbc.scope"] == "origin" and not _lives_at_origin(facts):
        return False
    minimum = policy["lbc.min_absence_months"]
    away = [p.away_months is not None and p.away_months >= minimum for p in parents]
    if len(parents) != 2:  # noqa: PLR2004  what is not known of a parent is not held to be so
        return False
    if all(away):
        return True
    return policy["lbc.parents_rule"] == "both_or_one_incapable" and _one_away_other_incapable(
        parents, away
    )


def _one_away_other_incapable(parents: list[_Parent], away: list[bool]) -> bool:
    return any(
        gone and not stays and not other.able
        for (gone, stays), other in zip((away, away[::-1]), parents[::-1], strict=True)
    )


def _rural(hukou: Hukou) -> bool:
    # Unregistered children count by their household, and are not struck off for want of an answer.
    return hukou.type == "rural" or (hukou.registered is False and hukou.type is None)


def _lives_at_origin(facts: Facts) -> bool:
    origin = facts.file.hukou.region_code
    if origin is None:
        return True
    # A book may name no more than the city: of what stands above counties, all that lies in it.
    place = int(origin)
    lo, hi = subtree(county_of(place) if lies_in_a_county(place) else place)
    return lo <= facts.region_code < hi


def _orphan(facts: Facts, parents: list[_Parent], rule: Mapping[str, Any], on: date) -> bool:
    if age_on(facts.birth_date, on) >= rule["age_limit"]:
        return False
    if rule["rule"] == "each_dead_or_not_found":
        return _both(parents, {"dead", "not_found"})
    return _both(parents, {"dead"}) or _both(parents, {"not_found"})


def _both(parents: list[_Parent], among: AbstractSet[str]) -> bool:
    return len(parents) > 1 and all(parent.statuses & among for parent in parents)


def _one_and_other(parents: list[_Parent], one: AbstractSet[str], other: AbstractSet[str]) -> bool:
    return any(a.statuses & one and b.statuses & other for a, b in permutations(parents, 2))


def _unattended(facts: Facts, parents: list[_Parent], rule: Mapping[str, Any], on: date) -> bool:
    if age_on(facts.birth_date, on) >= rule["age_limit"]:
        return False
    one, other = set(rule["one_parent"]), set(rule["other_parent"])
    if rule["both_in_other"] and len(parents) > 1 and all(p.lasting & other for p in parents):
        return True
    return any(a.lasting & one and b.lasting & other for a, b in permutations(parents, 2))


def _difficulties(facts: Facts, parents: list[_Parent], on: date) -> set[str]:
    found = set()
    if facts.file.welfare.poor or _both(parents, _ILL) or _one_and_other(parents, {"dead"}, _ILL):
        found.add("family")
    if facts.file.health.disability_card_no or facts.file.health.status == "seriously_ill":
        found.add("self")
    if (
        facts.file.guardianship.harm
        or facts.file.guardianship.kind == "none"
        or any(_one_and_other(parents, {one}, {other}) for one, other in _UNGUARDED_PAIRS)
    ):
        found.add("guardianship")
    if any(each.since <= on < each.review_on for each in facts.file.welfare.hardships):
        found.add("temporary")
    return found


def _flags(
    facts: Facts, parents: list[_Parent], policy: Policy, categories: Iterable[str], on: date
) -> set[str]:
    away = [parent.away_months is not None for parent in parents]
    unguarded = facts.file.guardianship.kind == "none"
    incapable = len(parents) > 1 and _one_away_other_incapable(parents, away)
    poor_when = policy["guardian_eval.rule"]["poor_when"]
    health = facts.file.health
    status = facts.file.education.status
    return {
        flag
        for flag, holds in {
            "orphan": "orphan" in categories,
            "no_guardian": unguarded,
            "one_away_other_incapable": incapable,
            "poor_guardianship": facts.file.guardianship.evaluation == "poor"
            or (unguarded and "no_guardian" in poor_when)
            or (incapable and "one_away_other_incapable" in poor_when),
            "out_of_school": status == "dropout"
            or (status == "not_in_school" and age_on(facts.birth_date, on) >= _SCHOOL_AGE),
            "no_hukou": facts.file.hukou.registered is False,
            "disabled": health.status == "disabled" or bool(health.disability_card_no),
            "ill": health.status in {"seriously_ill", "chronic"},
        }.items()
        if holds
    }
