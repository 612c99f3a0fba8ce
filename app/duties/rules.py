"""What a rule about a duty says: when it opens, until when it is due, what discharges it. Pure.

Days are those of the Chinese calendar; see `periods`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.children.completeness import places_of
from app.children.events import Part
from app.core.clock import beginning, local_date
from app.core.text import HAN
from app.duties.periods import Every, Period, period_of, year_until
from app.policy.holidays import working_days_after
from app.policy.rules import ParameterValue, effective

ONCE: Final = ""
"""The period of a duty that an event opens: it is owed once."""


class _Part(BaseModel):
    """A part of `rules.yaml`; see its head."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Title(_Part):
    """What must be done, in words."""

    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)

    @field_validator("zh")
    @classmethod
    def _is_chinese(cls, said: str) -> str:
        if not HAN.search(said):
            raise ValueError(f"the Chinese title {said} is not Chinese")
        return said


class Bearer(_Part):
    """Who owes it: the post of a role in the region, or of the first of `or_roles` that has posts
    as high as that; or with `agency_fields` an agency of one of these, of the opening event or of
    the child, which an office of the role in `overseen_by` looks after, where that agency stands.
    """

    role: str
    or_roles: tuple[str, ...] = ()
    agency_fields: tuple[str, ...] = ()
    passed_on_by: str | None = None
    overseen_by: str | None = None

    @model_validator(mode="after")
    def _oversees_an_agency(self) -> Self:
        if self.overseen_by and not self.agency_fields:
            raise ValueError("`overseen_by` goes with `agency_fields`")
        return self


_Codes = Annotated[tuple[str, ...], Field(min_length=1)]


class Children(_Part):
    """For which children it is owed: those who meet all that is said. `category`, `flag`: who is in
    one of these, or in `any`; `undecided`: of whom the file leaves one of these open;
    `guardian`: whom a guardian of one of these kinds looks after;
    `lacking`: whose file is not complete, or not in a part.
    """

    category: Literal["any"] | _Codes | None = None
    flag: Literal["any"] | _Codes | None = None
    undecided: Literal["any"] | _Codes | None = None
    guardian: _Codes | None = None
    lacking: Literal["any", Part] | None = None
    at_school: bool | None = None
    from_age: int | None = Field(default=None, ge=0, le=18)
    under_age: int | None = Field(default=None, ge=1, le=18)

    @model_validator(mode="after")
    def _are_some(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say which children")
        if (self.from_age or 0) >= (self.under_age or 19):
            raise ValueError("`from_age` is below `under_age`")
        return self

    @property
    def lacks(self) -> Literal["any"] | list[str] | None:
        """Places of the file, of which it lacks one; `any`: whichever; None: that is not asked."""
        if self.lacking is None or self.lacking == "any":
            return self.lacking
        return places_of(self.lacking)


class Opens(_Part):
    """When somebody owes it: in every period, for each of some children, or once after an event."""

    every: Every | None = None
    children: Children | None = None
    also_on: tuple[str, ...] = ()
    event: str | None = None
    arose_on: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.every is None) == (self.event is None):
            raise ValueError("say one of `every` and `event`")
        if (self.every is None) != (self.children is None):
            raise ValueError("`children` goes with `every`")
        if self.arose_on if self.every else self.also_on:
            raise ValueError("`also_on` goes with `every`, `arose_on` with `event`")
        return self


def _after(day: date, working_days: int) -> datetime:
    """Return the end of so many working days after a day."""
    return beginning(working_days_after(day, working_days) + timedelta(days=1))


def _duration(text: Any) -> timedelta:
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", str(text))
    if match is None or not any(match.groups()):
        raise ValueError(f"{text} is no duration of days, hours and minutes, like P3D or PT2H")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _some_time(text: Any) -> timedelta:
    if not (duration := _duration(text)):
        raise ValueError(f"{text} leaves no time")
    return duration


def _day_of_year(text: Any) -> str:
    match = re.fullmatch(r"(\d\d)-(\d\d)", str(text))
    try:
        date(2001, *map(int, match.groups() if match else (0, 0)))  # a year without 29 February
    except ValueError:
        raise ValueError(f"{text} is no day of every year, like 07-15") from None
    return str(text)


class Due(_Part):
    """Until when: the end of the period, the day with which its year ends, or a time after the
    event.
    """

    at: Literal["end_of_period"] | None = None
    day: Annotated[str, BeforeValidator(_day_of_year)] | None = None
    field: str | None = None
    parameter: str | None = None
    key: str | None = None
    within: Annotated[timedelta, BeforeValidator(_some_time)] | None = None
    working_days: int | None = Field(default=None, ge=1, le=366)
    source: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = [self.at, self.day, self.within, self.working_days, self.parameter]
        if len(said) - said.count(None) != 1:
            raise ValueError("say one of `at`, `day`, `within`, `working_days` and `parameter`")
        if self.key and not self.parameter:
            raise ValueError("`key` goes with `parameter`")
        if (self.at or self.day) and self.field:
            raise ValueError("`field` goes with `within` or `parameter`")
        for name in ("day", "within", "working_days"):
            if getattr(self, name) and not self.source:
                raise ValueError(f"`{name}` needs a `source`")
        return self

    def by_policy(self, opened_at: datetime, chosen: Any) -> datetime:
        """Return until when, as the value of `parameter` has it: by its name minutes or whole days,
        or working days with a `key`.
        """
        day = local_date(opened_at)
        if self.key:
            return _after(day, chosen[self.key])
        if str(self.parameter).endswith("_days"):
            return beginning(day + timedelta(days=chosen + 1))
        return opened_at + timedelta(minutes=chosen)


class Step(_Part):
    """Who is told that a duty is overdue, and how long after it was due."""

    after: Annotated[timedelta, BeforeValidator(_duration)] | None = None
    working_days: int | None = Field(default=None, ge=1, le=366)
    to: tuple[str, ...] = Field(min_length=1)
    source: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.after is None) == (self.working_days is None):
            raise ValueError("say one of `after` and `working_days`")
        if self.time and not self.source:
            raise ValueError(f"`{'after' if self.after else 'working_days'}` needs a `source`")
        return self

    @property
    def time(self) -> timedelta:
        """How long after: comparable among the steps of a rule, which count in one way."""
        return timedelta(days=self.working_days) if self.working_days else self.after or timedelta()

    def at(self, due_at: datetime) -> datetime:
        """Return when to tell it of a duty that was due at an instant."""
        if not self.working_days:
            return due_at + self.time
        return _after(local_date(due_at - timedelta(microseconds=1)), self.working_days)


class Evidence(_Part):
    """Which events discharge a duty."""

    event: str
    match: Literal["child_id", "subject_id"]
    counts_from: Literal["period", "same_day", "next_day"]
    on: str | None = None
    deed: str | None = None
    corrected_by: str | None = None
    taken_back_by: str | None = None
    where: Mapping[str, Annotated[tuple[str | bool | None, ...], Field(min_length=1)]] = {}
    of_stand_in: tuple[str, ...] = ()

    @property
    def told_by(self) -> frozenset[str]:
        """Wire names of the events that tell of a deed, of another, or that it was none."""
        told = (self.event, self.corrected_by, self.taken_back_by)
        return frozenset(name for name in told if name is not None)

    def counts(self, data: Mapping[str, Any]) -> bool:
        """Tell whether what was announced is of the kind that counts."""
        return self._is_so(data, self.where)

    def stand_in(self, data: Mapping[str, Any]) -> str | None:
        """Return the role of which it is a deed that counts while that role stands in for the post:
        each field of `of_stand_in` says that role, and the others what they must.
        """
        said = {data.get(name) for name in self.of_stand_in}
        others = self.where.keys() - {*self.of_stand_in}
        if len(said) != 1 or not self._is_so(data, {name: self.where[name] for name in others}):
            return None
        return said.pop()

    @staticmethod
    def _is_so(data: Mapping[str, Any], where: Mapping[str, tuple[str | bool | None, ...]]) -> bool:
        return all(data.get(name) in values for name, values in where.items())

    def deed_id(self, data: Mapping[str, Any], subject_id: UUID) -> UUID:
        """Return the id of the deed an event tells of: of what it is about, unless a field says."""
        return UUID(data[self.deed]) if self.deed and data.get(self.deed) else subject_id

    def happened_on(self, data: Mapping[str, Any], announced_at: datetime) -> date:
        """Return the Chinese calendar day of the deed."""
        return date.fromisoformat(data[self.on]) if self.on else local_date(announced_at)


class Rule(_Part):
    """One duty that somebody has. `code` is the obligation it mainly carries."""

    code: str
    title: Title
    carries: tuple[str, ...]
    bearer: Bearer
    opens: Opens
    due: Due
    evidence: Evidence
    cancelled_by: tuple[str, ...] = ()
    resumed_by: tuple[str, ...] = ()
    waived_by: tuple[str, ...] = ()
    seen_by: tuple[str, ...]
    escalates: tuple[Step, ...] = Field(min_length=1)

    @field_validator("due", "evidence")
    @classmethod
    def _fits_what_opens_it(cls, said: Due | Evidence, info: ValidationInfo) -> Due | Evidence:
        opens: Opens | None = info.data.get("opens")
        by_period = opens and opens.every is not None
        if isinstance(said, Due) and by_period is ((said.at or said.day) is None):
            raise ValueError("`at` and `day` go with `every`, all else with `event`")
        if isinstance(said, Due) and said.day and opens and opens.every != "year":
            raise ValueError("`day` goes with `every: year`")
        if isinstance(said, Evidence) and by_period is (said.counts_from != "period"):
            raise ValueError("`counts_from: period` goes with `every`, all else with `event`")
        return said

    def period_of(self, day: date) -> Period | None:
        """Return the period of a day for which it is owed; None if it is owed once."""
        if self.due.day:
            return year_until(self.due.day, day)
        return period_of(self.opens.every, day) if self.opens.every else None

    def counts_until(self, period: Period) -> date | None:
        """Return the last day whose deeds discharge what is owed in a period; None: there is none,
        what was to be done by a day is owed until it is done.
        """
        return None if self.due.day else period.last

    @property
    def owners(self) -> tuple[str, ...]:
        """Roles that may owe what a post owes, in the order they are asked while it is empty."""
        told = chain.from_iterable(step.to for step in self.escalates)
        return tuple(dict.fromkeys((self.bearer.role, *self.bearer.or_roles, *told)))

    @property
    def owed_by_school(self) -> bool:
        """Whether the school a child is enrolled at owes it."""
        return self.opens.every is not None and bool(self.bearer.agency_fields)

    @property
    def follows_child(self) -> bool:
        """Whether what was found of a child on a day is owed by the post where it lives by now."""
        return self.opens.arose_on is not None and not self.bearer.agency_fields

    @property
    def opens_on(self) -> tuple[str, ...]:
        """Wire names of the events after which somebody owes it."""
        return self.opens.also_on if self.opens.event is None else (self.opens.event,)

    @property
    def listens_to(self) -> frozenset[str]:
        """Wire names of the events the rule reads."""
        passed_on = filter(None, [self.bearer.passed_on_by])
        course = {*self.cancelled_by, *self.resumed_by, *passed_on}
        return frozenset({*self.opens_on, *self.evidence.told_by, *course})

    def due_at(
        self,
        opened_at: datetime,
        region_code: int,
        values: Iterable[ParameterValue],
        data: Mapping[str, Any] | None = None,
    ) -> datetime:
        """Return the instant at which the duty is overdue, as the opening event's `data` or the
        region's policy has it. Raises ParameterMissing.
        """
        if period := self.period_of(local_date(opened_at)):
            return period.ends
        if self.due.field and data and data.get(self.due.field):
            return datetime.fromisoformat(data[self.due.field])
        if self.due.within:
            return opened_at + self.due.within
        day = local_date(opened_at)
        if self.due.working_days:
            return _after(day, self.due.working_days)
        chosen = effective(values, str(self.due.parameter), region_code, day).value
        return self.due.by_policy(opened_at, chosen)

    def escalates_at(self, due_at: datetime, told: int) -> datetime | None:
        """Return when the next step is told, after so many; None if that was all."""
        return self.escalates[told].at(due_at) if told < len(self.escalates) else None

    def counts_from(self, arose_on: date) -> date:
        """Return the first day whose deeds discharge a duty that arose on a day."""
        if period := self.period_of(arose_on):
            return period.first
        return arose_on + timedelta(days=self.evidence.counts_from == "next_day")
