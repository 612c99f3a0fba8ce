"""The rules of `rules.yaml`, and whether everything they name exists."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from itertools import chain
from types import NoneType
from typing import Any, Final, get_args
from uuid import UUID

from app.access.roles import roles
from app.children.sections import CODELISTS
from app.core import data_files
from app.core.data_files import DataFile, Place
from app.core.jobs import events
from app.core.jobs.events import Event
from app.duties.area import READ, RULE_NAME
from app.duties.rules import Rule
from app.policy import clauses, laws
from app.policy import queries as policy

_NEVER_WAIVED: Final = ("REP-", "EDU-01", "EDU-04", "EDU-05", "EDU-06", "VIS-02")
"""Obligations to report, to know where a pupil is, and to visit without exception (必须100%)."""

_WORDS: Final[Mapping[type, str]] = {date: "a day", datetime: "an instant", UUID: "an id"}


def file() -> DataFile:
    """Read `rules.yaml`. Raises BadDataFile."""
    return data_files.read("app.duties", "rules.yaml")


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by code. Raises BadDataFile."""
    return file().parts(Rule, "code")


def rules_seen_by(role_code: str) -> list[str]:
    """Return the codes of the rules a role sees for every child of its region."""
    return [rule.code for rule in rules().values() if role_code in rule.seen_by]


def oversees(role_code: str) -> bool:
    """Tell whether a role looks after agencies that owe something."""
    return any(rule.bearer.overseen_by == role_code for rule in rules().values())


def waivable_by(role_code: str) -> list[str]:
    """Return the codes of the rules whose duties holders of a role may waive, by two."""
    return [rule.code for rule in rules().values() if role_code in rule.waived_by]


def check(read: DataFile) -> None:
    """Raise BadDataFile unless all that the rules name exists and fits. To be asked once every
    package's events are imported: rules name those of packages above.
    """
    obligations = {*(row["id"] for row in clauses.obligations()), *laws.articles()}
    for code, rule in read.parts(Rule, "code").items():
        obligation, _, _ = code.partition(".")  # as EDU-01.presence: one may be owed in two ways
        read.require((code,), "obligation", obligation, obligations)
        for place, carried in _words(read, code, "carries"):
            read.require(place, "obligation", carried, obligations)
        if not re.match(RULE_NAME, code):
            message = f"after {obligation}. one word says which: small letters and _, 32 at most"
            raise read.refusal((code,), message)
        if obligation not in rule.carries:
            message = f"{code} carries {obligation} itself: add it"
            raise read.refusal((code, "carries"), message)
        for place, name in _words(read, code, "due", "parameter"):
            read.require(place, "policy parameter", name, policy.parameters())
            if rule.due.key is not None:
                said = policy.parameters()[name].of_value.get("properties", {})
                read.require((code, "due", "key"), f"key of {name}", rule.due.key, said)
            elif not name.endswith(("_minutes", "_within_days")):
                raise read.refusal(place, f"{name} is no number of minutes or days")
        _check_period(read, rule)
        _check_roles(read, rule)
        _check_waiving(read, rule)
        _check_steps(read, rule)
        if rule.opens.children is not None:
            _check_children(read, code)
        about = _check_opening(read, rule)
        _check_course(read, rule, about)
        _check_evidence(read, rule, about)
        _check_stand_in(read, rule)


def _words(read: DataFile, *place: str) -> Iterator[tuple[Place, str]]:
    """Yield what a key names, a word or a list of them, and where each stands."""
    said: Any = read.content
    for step in place:
        said = said.get(step, ())
    if isinstance(said, str):
        yield place, said
    else:
        for position, word in enumerate(said):
            yield (*place, position), word


def _check_period(read: DataFile, rule: Rule) -> None:
    """Check that a post owes what is owed in every period, or the child's school: no event names
    an agency.
    """
    if rule.opens.every is None:
        return
    for key in (("bearer", "passed_on_by"), ("resumed_by",)):
        for place, _ in _words(read, rule.code, *key):
            raise read.refusal(place, f"`{key[-1]}` goes with `event`")
    for place, name in _words(read, rule.code, "bearer", "agency_fields"):
        read.require(place, "agency of a child", name, ["school_id"])
        for where, role in _words(read, rule.code, "bearer", "role"):
            schools = [code for code, each in roles().items() if "school" in each.agency_kinds]
            read.require(where, "role of a school", role, schools)
        for where, _ in _words(read, rule.code, "bearer", "or_roles"):
            raise read.refusal(where, "`or_roles` goes with `event`, or without `agency_fields`")


def _check_roles(read: DataFile, rule: Rule) -> None:
    keys = (("bearer", "role"), ("bearer", "or_roles"), ("seen_by",))
    named = [*chain(*(_words(read, rule.code, *key) for key in keys))]
    for step, said in enumerate(rule.escalates):
        here = (rule.code, "escalates", step, "to")
        named += [((*here, position), name) for position, name in enumerate(said.to)]
    for place, name in named:  # a name that is no role is said before what follows from it
        read.require(place, "role", name, roles())
    for place, name in _words(read, rule.code, "bearer", "overseen_by"):
        read.require(place, "role that sees it", name, rule.seen_by)
    for place, name in named:
        if READ.code not in roles()[name].scopes:
            raise read.refusal(place, f"{name} sees no duties: it lacks {READ.code}")
        if place[1] == "bearer" and rule.bearer.agency_fields:
            continue
        if roles()[name].relation != "region":
            raise read.refusal(place, f"{name} has no region whose duties it could see")
        if name not in rule.seen_by:
            raise read.refusal(place, f"{name} could not see the duty: add it to seen_by")


def _check_waiving(read: DataFile, rule: Rule) -> None:
    """Check that a duty may be waived, and that who may sees it and is not who owes it."""
    for place, name in _words(read, rule.code, "waived_by"):
        if strict := [each for each in rule.carries if each.startswith(_NEVER_WAIVED)]:
            raise read.refusal(place, f"{strict[0]} is owed without exception: never waived")
        read.require(place, "role that sees it", name, rule.seen_by)
        if name == rule.bearer.role:  # where one of or_roles owes it, it is not theirs to waive
            raise read.refusal(place, f"{name} owes it itself")


def _check_steps(read: DataFile, rule: Rule) -> None:
    """Check that what is late is told at once, then higher up, in time, until the county knows."""
    by_working_days = bool(rule.due.working_days or rule.due.key)
    for number, (step, before) in enumerate(
        zip(rule.escalates, (None, *rule.escalates), strict=False)
    ):
        place = (rule.code, "escalates", number)
        if before is None and step.time:
            raise read.refusal(place, "the first step is told at once: write after: P0D")
        if before is not None and step.time <= before.time:
            raise read.refusal(place, "a step comes later than the one before it")
        if step.time and by_working_days is (step.working_days is None):
            counts = "working_days" if by_working_days else "after"
            raise read.refusal(place, f"the step counts as `due` does: write {counts}")
    told = {name for step in rule.escalates for name in step.to}
    county = {name for name in rule.seen_by if "county" in roles()[name].levels}
    if county and not county & told:
        message = f"no step of escalates reaches {' or '.join(sorted(county))}"
        raise read.refusal((rule.code, "seen_by"), message)


def _check_children(read: DataFile, code: str) -> None:
    known = {
        "category": [each.code for each in CODELISTS["child_categories"].items],
        "flag": [each.code for each in CODELISTS["priority_flags"].items],
    }
    known["guardian"] = [each.code for each in CODELISTS["guardianship_kinds"].items]
    known["undecided"] = [*known["category"], *known["flag"], "left_behind.counted"]
    for key, codes in known.items():
        for place, name in _words(read, code, "opens", "children", key):
            read.require(place, "code", name, ("any", *codes))


def _check_opening(read: DataFile, rule: Rule) -> str:
    """Check what opens a duty; return what it is about."""
    about = "child"
    for place, name in _words(read, rule.code, "opens", "event"):
        opening = _event(read, place, name)
        about = opening.subject
        _fields(read, (rule.code, "opens", "arose_on"), opening, date, NoneType)
        _fields(read, (rule.code, "due", "field"), opening, datetime, NoneType)
        _fields(read, (rule.code, "bearer", "agency_fields"), opening, UUID, NoneType)
        if rule.evidence.match == "child_id":
            _fields(read, (rule.code, "evidence", "match"), opening, UUID)
    return about


def _check_course(read: DataFile, rule: Rule, about: str) -> None:
    """Check the events that hand a duty over, bring it up to date or end it."""
    for place, name in _words(read, rule.code, "bearer", "passed_on_by"):
        passing = _event(read, place, name, about)
        _fields(read, (rule.code, "bearer", "agency_fields"), passing, UUID, NoneType)
        _fields(read, (rule.code, "due", "field"), passing, datetime, NoneType)
    for place, name in _words(read, rule.code, "resumed_by"):
        resuming = _event(read, place, name, about)
        _fields(read, (rule.code, "bearer", "agency_fields"), resuming, UUID, NoneType)
    keys = (("opens", "also_on"), ("cancelled_by",))
    for place, name in chain(*(_words(read, rule.code, *key) for key in keys)):
        _event(read, place, name, about)


def _check_evidence(read: DataFile, rule: Rule, about: str) -> None:
    here = (rule.code, "evidence")
    by_child = rule.evidence.match == "child_id"
    deed = None if by_child else about
    for place, name in chain(_words(read, *here, "event"), _words(read, *here, "corrected_by")):
        heard = _event(read, place, name, deed)
        deed = heard.subject
        if by_child:
            _fields(read, (*here, "match"), heard, UUID)
        _fields(read, (*here, "on"), heard, date)
        _fields(read, (*here, "deed"), heard, UUID, NoneType)
        for counted in rule.evidence.where:
            codes = _codes(read, (*here, "where", counted), heard, counted)
            for where, value in _words(read, *here, "where", counted):
                if value is not None:  # not said, as by the release before a field was there
                    read.require(where, f"{counted} of {name}", value, codes)

    for place, name in _words(read, *here, "taken_back_by"):
        heard = _event(read, place, name, deed)
        if by_child:
            _fields(read, (*here, "match"), heard, UUID)
        _fields(read, (*here, "on"), heard, date)


def _check_stand_in(read: DataFile, rule: Rule) -> None:
    """Check that whoever may owe it while a post is empty can do it, and can say so."""
    where, named = rule.evidence.where, rule.evidence.of_stand_in
    here = (rule.code, "evidence", "of_stand_in")
    if rule.bearer.agency_fields:
        for place, _ in _words(read, *here):
            raise read.refusal(place, "an agency owes it: nobody stands in for that")
        return
    for place, name in _words(read, *here):
        read.require(place, "field of `where`", name, where)
        codes = _codes(read, place, events.kinds()[rule.evidence.event], name)
        for role in rule.owners[1:]:
            read.require(place, f"{name} that stands in", role, codes)
    for name, values in where.items():
        by_role = {*values} & {*roles()} and name not in named
        if unable := [role for role in rule.owners if by_role and role not in values]:
            raise read.refusal(
                (rule.code, "evidence", "where", name),
                f"{unable[0]} may owe it and could never do it: see `of_stand_in`",
            )


def _event(read: DataFile, place: Place, name: str, about: str | None = None) -> type[Event]:
    read.require(place, "event", name, events.kinds())
    found = events.kinds()[name]
    if about is not None and found.subject != about:
        raise read.refusal(place, f"the subject of {name} is {found.subject}, not {about}")
    return found


def _fields(read: DataFile, key: tuple[str, ...], event: type[Event], *kinds: type) -> None:
    """Check that what a key names are fields of the event, of these kinds."""
    for place, name in _words(read, *key):
        read.require(place, f"field of {event.wire_name}", name, event.model_fields)
        annotation = event.model_fields[name].annotation
        if not {*(get_args(annotation) or [annotation])} <= {*kinds}:
            sentence = f"{name} of {event.wire_name} is not always {_WORDS[kinds[0]]}"
            raise read.refusal(place, sentence)


def _codes(read: DataFile, place: Place, event: type[Event], name: str) -> list[Any]:
    """Return the values a field of an event can have, if they are closed."""
    read.require(place, f"field of {event.wire_name}", name, event.model_fields)
    annotation: Any = event.model_fields[name].annotation
    if annotation is bool:
        return [True, False]
    if events.ROLE in event.model_fields[name].metadata:
        return [*roles()]
    closed = isinstance(annotation, type) and issubclass(annotation, StrEnum)
    codes = list(annotation) if closed else list(get_args(annotation))
    if not codes or not all(isinstance(each, str) for each in codes):
        raise read.refusal(place, f"{name} of {event.wire_name} has no closed list of codes")
    return codes
