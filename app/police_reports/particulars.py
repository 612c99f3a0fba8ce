"""What is still to be said of what the police did: the papers, the days, who, and how it ended
(REP-08…13). Pure.

Which measure asks for what is data (`report.measures`): `asks` names fields, `then` the measures of
which one follows. Whoever gives a reason why a field cannot be said has said it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_FIELDS: Final = ("paper_number", "day", "who")


@dataclass(slots=True)
class Told:
    """What dispositions tell of one kind of situation: `measures` done, those `omitted` for a
    reason, by measure the fields `said`, and the `dangers`; None if nobody said whether there are.
    """

    measures: set[str] = field(default_factory=set)
    omitted: set[str] = field(default_factory=set)
    said: dict[str, set[str]] = field(default_factory=dict)
    dangers: set[str] | None = None


def told(codes: Iterable[Mapping[str, Any]]) -> dict[str, Told]:
    """Return, by kind, what dispositions tell, from what is kept of each to be counted."""
    found: dict[str, Told] = {}
    for each in (one for step in codes for one in step.get("handled", [step])):
        of_kind = found.setdefault(each["kind"], Told())
        of_kind.measures |= {*each["measures"]}
        of_kind.omitted |= {*each.get("omitted", ())}
        for measure, fields in each.get("said", {}).items():
            of_kind.said.setdefault(measure, set()).update(fields)
        if (dangers := each.get("dangers")) is not None:
            of_kind.dangers = {*dangers, *(of_kind.dangers or ())}
    return found


def said_of(given: Mapping[str, Any], asks: Collection[str], *, nearer: bool) -> list[str]:
    """Return what of all that is asked of a measure was given. That there is no `nearer` place is
    no answer where one is known: then a reason is.
    """
    if given["reason"]:
        return [*asks]
    said = [name for name in _FIELDS if given[name] is not None]
    return [*said, "nearest"] if given["nearest"] and not nearer else said


def unsaid(
    told: Mapping[str, Told], listed: Collection[Mapping[str, Any]], *, named_danger: bool
) -> list[dict[str, Any]]:
    """List what the measures done ask for and nobody said: `fields`, and `then`, of which one
    follows. `named_danger`: after violence a child is placed elsewhere in one of the dangers the
    text lists (REP-12), not as the police judge. Of one that is not placed, too, it is said whether
    it is in any.
    """
    kinds = {each["code"]: each["kinds"] for each in listed}
    asking = [each for each in listed if each.get("asks") or each.get("then")]
    missing = [
        {
            "kind": kind,
            "measure": each["code"],
            "fields": _fields(each, of_kind, named_danger=named_danger),
            "then": _then([one for one in each.get("then", ()) if kind in kinds[one]], of_kind),
        }
        for kind, of_kind in sorted(told.items())
        for each in asking
        if each["code"] in of_kind.measures
    ]
    return [each for each in missing if each["fields"] or each["then"]]


def _fields(each: Mapping[str, Any], of_kind: Told, *, named_danger: bool) -> list[str]:
    said = {*of_kind.said.get(each["code"], ())}
    none_will_do = not (named_danger and each.get("hand_over"))
    if of_kind.dangers or (of_kind.dangers is not None and none_will_do):
        said.add("dangers")
    return [name for name in each.get("asks", ()) if name not in said]


def _then(wanted: Sequence[str], of_kind: Told) -> Sequence[str]:
    return wanted if of_kind.measures.isdisjoint(wanted) and not of_kind.omitted & {*wanted} else ()
