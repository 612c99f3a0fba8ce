"""What a file says of a child's parents on a day, and what it leaves open. Pure.

Of a parent who is not on file, or of whom `unknown` is all that is said, every question is
undecided. Of one of whom something is said, what is not said is not so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.children.answers import Answer, all_of, any_of
from app.children.day import Day, months_after
from app.children.sections import File
from app.children.sections.family import Parent, ParentStatus
from app.children.sections.residence import Residence
from app.regions.rules import county_of, lies_in_a_county, subtree

ROLES: Final = ("father", "mother")
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
        "unidentified",
    }
)
_IN_POOR_HEALTH: Final = frozenset(
    {"serious_illness", "severe_disability", "mental_disability", "hiv_no_work"}
)
"""By which a parent may lose guardianship capacity, or not (DEF-03)."""
_GONE: Final = frozenset({"dead", "missing", "not_found"})
_TERMS: Final = frozenset({"imprisoned", "drug_rehabilitation", "liberty_restricted"})
_OF_THE_MIND: Final = frozenset({"mental", "intellectual"})


@dataclass(frozen=True, slots=True)
class ParentOn:
    """A parent in law on a day. `said`: what is the case, by status; `together`: whether the child
    lives with the parent, None if nobody said with whom it lives; `custody`: whether the parent has
    it, None if nobody said. `adopts`: one of a child that was
    adopted; such a parent is held to be alive, though nothing is on file.
    """

    role: str
    parent: Parent | None
    said: Mapping[str, ParentStatus]
    together: bool | None
    custody: bool | None
    adopts: bool
    on: Day

    @property
    def place(self) -> str:
        return f"family.{self.role}"

    @property
    def known(self) -> bool:
        return bool(self.said.keys() - {"unknown"})


def parents_of(
    file: File, severe: Sequence[Mapping[str, Any]], visit_days: int, on: Day
) -> list[ParentOn]:
    """Return the child's parents in law: of an adopted child those who adopted it, one or two.

    By policy: `severe`, kinds and grades of disability that count as severe; `visit_days`, for how
    many days somebody who works away may be home and is no less away.
    """
    family, lives_with = file.family, file.residence.lives_with
    adopted_on = file.adoption.adopted_on
    adopted = adopted_on is not None and on.has_come(adopted_on)
    found = {
        each.role: each
        for each in family.parents
        if each.relation == "parent" and not (adopted and _gone_before(each, adopted_on))
    }
    alone = adopted and file.adoption.adopted_by == "one" and len(found) == 1
    return [
        ParentOn(
            role,
            found.get(role),
            _said(found.get(role), severe, visit_days, on),
            role in lives_with if lives_with else None,
            None if family.custody is None else family.custody in {role, "both"},
            adopted,
            on,
        )
        for role in ROLES
        if role in found or not alone
    ]


def _gone_before(parent: Parent, day: date | None) -> bool:
    """Tell whether a parent was dead or missing on the day of an adoption: one by birth."""
    return day is not None and any(
        each.status in _GONE and each.since is not None and each.since <= day
        for each in parent.statuses
    )


def stands(
    parent: ParentOn, statuses: Collection[str], minimum: Mapping[str, int] | None = None
) -> Answer:
    """Whether one of the statuses is the case, for so many months where `minimum` says so."""
    found = [each for status, each in parent.said.items() if status in statuses]
    if found:
        return any_of(_lasts(parent, each, (minimum or {}).get(each.status, 0)) for each in found)
    if "not_found" in statuses and "unidentified" in parent.said:
        return Answer.of(None, f"{parent.place}.not_found")  # 查找不到: who was looked for
    if "severe_disability" in statuses and _grade_is_missing(parent.parent):
        return Answer.of(None, f"{parent.place}.disability_grade")
    if not parent.known and not parent.adopts:
        return Answer.of(None, f"{parent.place}.statuses")
    return Answer.of(False, f"{parent.place}.statuses")


def away(parent: ParentOn, months: int, beyond: str, home: int) -> Answer:
    """Whether a parent is away for work for so many months; `beyond`: out of the `county` the child
    lives in, or `any` place. One whom nobody knows, or who has no custody and lives elsewhere, is
    not there either; but out of the county only who went there is.
    """
    if "unidentified" in parent.said:
        return Answer.of(True, f"{parent.place}.unidentified")
    if parent.together:
        return Answer.of(False, "residence.lives_with")
    gone = parent.said.get("away")
    if gone is None and parent.custody is False and beyond != "county":
        absent = None if parent.together is None else True
        return Answer.of(absent, "family.custody" if absent else "residence.lives_with")
    if gone is None:
        return Answer.of(False if parent.known else None, f"{parent.place}.statuses")
    long = _so_long(parent, gone, months)
    return all_of([long, _out_of(parent, home)]) if beyond == "county" else long


def stayed_behind(parent: ParentOn, home: Residence, birth_date: date) -> Answer:
    """Whether the child lived in the countryside it lives in when a parent left for work, or ever
    since its birth (DEF-04: 自己留在农村居住地). Where it lived then is what the parent left.
    """
    left, since = parent.said.get("away"), home.rural_since
    if left is None:
        return Answer.of(True, f"{parent.place}.statuses")
    if since is None:
        return Answer.of(None, "residence.rural_since")
    if left.since is None and since > birth_date:
        return Answer.of(None, f"{parent.place}.away.since")
    return Answer.of(since <= max(left.since or birth_date, birth_date), "residence.rural_since")


def able(parent: ParentOn) -> Answer:
    """Whether the parent can act as a guardian (DEF-03): one in poor health if somebody assessed
    that it is so.
    """
    capacity = parent.parent.guardianship_capacity if parent.parent else None
    unable = _UNABLE & parent.said.keys()
    if capacity == "full":
        unable -= _IN_POOR_HEALTH
    if unable:
        return Answer.of(False, *(f"{parent.place}.{status}" for status in sorted(unable)))
    said = None if capacity is None else capacity == "full"
    return Answer.of(said, f"{parent.place}.guardianship_capacity")


def _said(
    parent: Parent | None, severe: Sequence[Mapping[str, Any]], visit_days: int, on: Day
) -> dict[str, ParentStatus]:
    """Return what is the case, with what follows from it: who left home is out of contact since,
    who cannot work with AIDS is seriously ill, and a disability says of what kind it is and how
    severe.
    """
    if parent is None:
        return {}
    said: dict[str, ParentStatus] = {}
    for each in parent.statuses:
        if on.within(each.since, each.until):
            said[each.status] = _longer(said.get(each.status), each)
    if "away" in said:
        said["away"] = _but_for_visits(parent, said["away"], visit_days)
    if "left_home" in said:
        contact = said["left_home"].model_copy(update={"status": "lost_contact"})
        said["lost_contact"] = _longer(said.get("lost_contact"), contact)
    if "hiv_no_work" in said:
        ill = said["hiv_no_work"].model_copy(update={"status": "serious_illness"})
        said.setdefault("serious_illness", ill)
    if parent.disability_type in _OF_THE_MIND:
        said.setdefault("mental_disability", ParentStatus(status="mental_disability"))
    if any(_is_severe(parent, said, kind) for kind in severe):
        said.setdefault("severe_disability", ParentStatus(status="severe_disability"))
    return said


def _grade_is_missing(parent: Parent | None) -> bool:
    return bool(parent and parent.disability_type and parent.disability_grade is None)


def _is_severe(parent: Parent, said: Collection[str], kind: Mapping[str, Any]) -> bool:
    """Tell whether a disability is of the kind; of no `grades` or `types`, each is."""
    types, grades = kind.get("types"), kind.get("grades")
    of_type = (
        types is None
        or parent.disability_type in types
        or (parent.disability_type is None and "mental_disability" in said)
    )
    return of_type and (grades is None or parent.disability_grade in grades)


def _longer(one: ParentStatus | None, other: ParentStatus) -> ParentStatus:
    """Of two that say the same, return the one that has held longer, as far as is said."""
    if one is None or one.since is None:
        return other
    return one if other.since is None or one.since <= other.since else other


def _but_for_visits(parent: Parent, away: ParentStatus, days: int) -> ParentStatus:
    """Return an absence as begun before the visits home that interrupted it (DEF-04)."""
    before = [each for each in parent.statuses if each.status == "away" and each.since]
    for each in sorted(before, key=lambda each: each.since or date.max, reverse=True):
        if each.until and away.since and each.until < away.since:
            if (away.since - each.until).days > days + 1:
                break
            away = away.model_copy(update={"since": each.since})
    return away


def _lasts(parent: ParentOn, entry: ParentStatus, needed: int) -> Answer:
    if entry.status not in _TERMS or not needed:
        return _so_long(parent, entry, needed)
    term = f"{parent.place}.{entry.status}.term_months"
    if entry.term_months is not None:
        return Answer.of(entry.term_months >= needed, term)
    # A term that nobody noted is at least as long as it has lasted.
    lasted = _so_long(parent, entry, needed)
    return lasted if lasted.holds else Answer.of(None, term)


def _so_long(parent: ParentOn, entry: ParentStatus, needed: int) -> Answer:
    place = f"{parent.place}.{entry.status}"
    if not needed:
        return Answer.of(True, place)
    if entry.since is None:
        return Answer.of(None, f"{place}.since")
    return Answer.of(parent.on.has_come(months_after(entry.since, needed)), f"{place}.since")


def _out_of(parent: ParentOn, home: int) -> Answer:
    works_in = parent.parent.work_region if parent.parent else None
    place = f"{parent.place}.work_region"
    if works_in is None:
        return Answer.of(None, place)
    code = int(works_in.ljust(12, "0"))
    if lies_in_a_county(code):
        return Answer.of(county_of(code) != county_of(home), place)
    lo, hi = subtree(code)
    return Answer.of(None if lo <= home < hi else True, place)
