"""Which duties there are, when they open, until when they are due, what discharges them. Pure.

The rules are data (`rules.yaml`), the calendar is the Chinese one: a quarter begins at midnight in
China, not in UTC.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import yaml

from app.access.roles import role
from app.core.clock import CHINA, local_date
from app.policy import queries as policy
from app.policy.rules import effective

ONCE: Final = ""
"""The period of a duty that an event opens: it is owed once."""

_QUARTER: Final = re.compile(r"(\d{4})Q([1-4])")


class BadRule(ValueError):
    """`rules.yaml` contradicts itself; the message names the rule."""


class BadPeriod(ValueError):
    """The text names no quarter."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """A calendar quarter in China. `code` is like `2026Q4`, `last` its last day."""

    code: str
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """The first instant of the quarter."""
        return datetime.combine(self.first, time(), CHINA)

    @property
    def ends(self) -> datetime:
        """The first instant after the quarter."""
        return datetime.combine(self.last + timedelta(days=1), time(), CHINA)


def quarter_of(day: date) -> Quarter:
    """Return the quarter a day lies in."""
    number = (day.month - 1) // 3
    first = date(day.year, number * 3 + 1, 1)
    following = date(day.year + number // 3, (number + 1) % 4 * 3 + 1, 1)
    return Quarter(f"{day.year:04d}Q{number + 1}", first, following - timedelta(days=1))


def quarter(code: str) -> Quarter:
    """Return the quarter of a code like `2026Q4`; raises BadPeriod."""
    match = _QUARTER.fullmatch(code)
    if match is None or not 1 < int(match[1]) < date.max.year:
        raise BadPeriod
    return quarter_of(date(int(match[1]), int(match[2]) * 3, 1))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which events discharge a duty; see the head of `rules.yaml`."""

    event: str
    match: Literal["child_id", "subject_id"]
    counts_from: Literal["period", "same_day", "next_day"]
    on: str | None = None
    corrected_by: str | None = None
    where: Mapping[str, list[str]] | None = None

    def counts(self, data: Mapping[str, Any]) -> bool:
        """Tell whether what was announced is of the kind that counts."""
        return all(data.get(name) in values for name, values in (self.where or {}).items())

    def happened_on(self, data: Mapping[str, Any], announced_at: datetime) -> date:
        """Return the Chinese calendar day of the deed."""
        return date.fromisoformat(data[self.on]) if self.on else local_date(announced_at)


@dataclass(frozen=True, slots=True)
class Rule:
    """One duty that somebody has. `code` is the obligation it mainly carries."""

    code: str
    title_zh: str
    title_en: str
    carries: tuple[str, ...]
    bearer_role: str
    agency_fields: tuple[str, ...]
    passed_on_by: str | None
    every_quarter: bool
    opens_on: tuple[str, ...]
    arose_on: str | None
    due_field: str | None
    parameter: str | None
    within: timedelta | None
    evidence: Evidence
    cancelled_by: tuple[str, ...]
    seen_by: frozenset[str]
    escalates_to: tuple[str, ...]

    @property
    def listens_to(self) -> frozenset[str]:
        """Wire names of the events the rule reads."""
        once = [self.evidence.event, self.evidence.corrected_by, self.passed_on_by]
        return frozenset({*self.opens_on, *self.cancelled_by, *filter(None, once)})

    def due_at(
        self, opened_at: datetime, region_code: int, data: Mapping[str, Any] | None = None
    ) -> datetime:
        """Return the instant at which the duty is overdue, as the opening event's `data` or the
        region's policy has it. Raises ParameterMissing.
        """
        if self.every_quarter:
            return quarter_of(local_date(opened_at)).ends
        if self.due_field and data and data.get(self.due_field):
            return datetime.fromisoformat(data[self.due_field])
        return opened_at + (self.within or _minutes(self.parameter, region_code, opened_at))

    def counts_from(self, arose_on: date) -> date:
        """Return the first day whose deeds discharge a duty that arose on a day."""
        if self.evidence.counts_from == "period":
            return quarter_of(arose_on).first
        return arose_on + timedelta(days=self.evidence.counts_from == "next_day")


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by code. Raises BadRule, or UnknownRole for a role that does not exist."""
    raw = yaml.safe_load(files("app.duties").joinpath("rules.yaml").read_text("utf-8"))
    return {code: rule_of(code, entry) for code, entry in raw.items()}


def rules_seen_by(role_code: str) -> list[str]:
    """Return the codes of the rules a role sees for every child of its region."""
    return [rule.code for rule in rules().values() if role_code in rule.seen_by]


def rule_of(code: str, entry: Mapping[str, Any]) -> Rule:
    """Read one entry of `rules.yaml`. Raises BadRule."""
    opens, due = entry["opens"], entry["due"]
    periodic = opens.get("every") == "quarter"
    if periodic == ("event" in opens) or periodic != (due.get("at") == "end_of_period"):
        raise BadRule(f"{code}: opens by event or by quarter, due accordingly")
    if not periodic and ("within" in due) == ("parameter" in due):
        raise BadRule(f"{code}: due within a time or by a parameter, not both")
    if "within" in due and not due.get("source"):
        raise BadRule(f"{code}: a deadline needs a source")
    for named in (entry["bearer"]["role"], *entry["seen_by"], *entry["escalates_to"]):
        role(named)
    return Rule(
        code=code,
        title_zh=entry["title"]["zh"],
        title_en=entry["title"]["en"],
        carries=tuple(entry["carries"]),
        bearer_role=entry["bearer"]["role"],
        agency_fields=tuple(entry["bearer"].get("agency_fields", ())),
        passed_on_by=entry["bearer"].get("passed_on_by"),
        every_quarter=periodic,
        opens_on=tuple(opens["also_on"]) if periodic else (opens["event"],),
        arose_on=opens.get("arose_on"),
        due_field=due.get("field"),
        parameter=due.get("parameter"),
        within=_duration(code, due["within"]) if "within" in due else None,
        evidence=Evidence(**entry["evidence"]),
        cancelled_by=tuple(entry.get("cancelled_by", ())),
        seen_by=frozenset(entry["seen_by"]),
        escalates_to=tuple(entry["escalates_to"]),
    )


def _duration(code: str, text: str) -> timedelta:
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    if match is None or not any(match.groups()):
        raise BadRule(f"{code}: {text!r} is no duration of days, hours and minutes")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _minutes(parameter: str | None, region_code: int, at: datetime) -> timedelta:
    value = effective(policy.values(), str(parameter), region_code, local_date(at))
    return timedelta(minutes=value.value)
