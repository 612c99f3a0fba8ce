"""Which value of a policy parameter holds in a place on a day. Pure.

The documents contradict each other, so each difference is a named parameter with values by region
and period (`app/policy/data/parameters.yaml`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.regions.rules import lineage


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """One value of one parameter, as one region sets it for one period.

    `region_code` is a 12-digit code, or 0 for the nation. `valid_until` is the last day the value
    holds, None while it has no end. `value` is plain JSON, shaped as the parameter's schema says.
    `citation` names the obligation or the text it is taken from.
    """

    name: str
    region_code: int
    valid_from: date
    valid_until: date | None
    value: Any
    citation: str

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)


class ParameterMissing(LookupError):
    """No region from the place up to the nation sets the parameter on that day."""


def effective(
    values: Iterable[ParameterValue], name: str, region_code: int, on: date
) -> ParameterValue:
    """Return the value that holds in a region on a day.

    The nearest region up the tree wins; within one region the latest `valid_from`. Raises
    ParameterMissing, and BadRegionCode for a number that is no division code.
    """
    nearness = {code: steps for steps, code in enumerate(lineage(region_code))}
    candidates = [
        value
        for value in values
        if value.name == name and value.region_code in nearness and value.holds(on)
    ]
    if not candidates:
        raise ParameterMissing(f"no value of {name} holds")
    return min(
        candidates, key=lambda value: (nearness[value.region_code], -value.valid_from.toordinal())
    )


def changes_after(
    values: Iterable[ParameterValue], names: Collection[str], region_code: int, on: date
) -> date | None:
    """Return the first later day on which one of the parameters may be another in a region; None:
    nothing says that it will be. Raises BadRegionCode.
    """
    places = {*lineage(region_code)}
    days = [
        day
        for value in values
        if value.name in names and value.region_code in places
        for day in (value.valid_from, value.valid_until and value.valid_until + timedelta(days=1))
        if day is not None and day > on
    ]
    return min(days, default=None)
