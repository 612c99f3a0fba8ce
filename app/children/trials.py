"""What would become of children under another value of a policy parameter. Nothing is written.

Up to LIMIT files each is derived twice. Of more, about as many are drawn by chance: the answer is
an estimate, with what it may be off; who wants all of them looked at has it done by a job
(`exact_trials`). Figures are told to the nearest five, since a value can be put
so that it asks one thing of one child, which no summary would tell.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from math import ceil, floor, sqrt
from typing import Any, Final, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from app.access.principal import Principal
from app.children import counting, derivation, queries, rules, sealing, trial_schemas
from app.children.told import Told
from app.core.data.db import Tx
from app.core.http.admission import TooManyAtOnce
from app.core.http.wire import region_text
from app.core.problems import Problem
from app.policy import queries as policy
from app.policy.rules import ParameterValue, effective

LIMIT: Final = 4_000
"""How many files are looked at while somebody waits: each takes some 0.4 ms."""
MOST_SAID: Final = 200
"""Of how much a value may consist; the largest in force, of 72. More would take all the time."""
_ONE: Final = asyncio.Lock()
"""Held by the one trial of a process: several would keep each other, and all else, waiting."""
_COME_BACK: Final = {"retry-after": "5"}
_Z: Final = 1.96
_SECTIONS: Final[tuple[tuple[trial_schemas.TriedKind, str], ...]] = (
    ("category", "categories"),
    ("flag", "priority_flags"),
    ("undecided", "undecided"),
)
Key = tuple[trial_schemas.TriedKind, str]


class ValueNotTried(Problem, status=422):
    """No such parameter decides categories, or the value is none of it."""

    title = "This value of this parameter cannot be tried"
    title_zh = "不能试算该参数的该值"


class TrialForbidden(Problem, status=403, denies=True):
    """The caller's role does not read in which categories children are, or where they live."""

    title = "Your role does not read what would change"
    title_zh = "您的角色无权查看将会变化的内容"


FILES: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.birth_date, c.told, c.categories, c.priority_flags,
       c.undecided, {{derived}} AS derived, {{page}} AS page, {queries.STORED}
FROM children c{{drawn}}"""
# What is stored is what these rules say today, unless a day has come or others made it.
AS_OF_TODAY: Final = """(coalesce(c.next_change_on > {}, true) AND EXISTS (
    SELECT FROM derivations d WHERE d.home_county = c.home_county AND d.made_by = {}))"""
# Of a smaller place each file is drawn by itself, and all are read; of a larger, whole pages of the
# table are, of which few lie elsewhere.
_BY_FILE: Final = 100_000
_DRAWN: Final = "hashtextextended(c.id::text, 40) & 1048575 < {}"
_ITSELF: Final = "hashtextextended(c.id::text, 41)"
_PAGES: Final = " TABLESAMPLE SYSTEM ({}::real) REPEATABLE (1)"
_PAGE: Final = "(c.ctid::text::point)[0]::bigint"


class Tried(NamedTuple):
    """Of one file: what it is in now, and what it would be in; `page`: where it was drawn."""

    before: frozenset[Key]
    after: frozenset[Key]
    page: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A value that is tried in a place, on a day."""

    parameter: str
    region_code: int
    value: Any
    on: date
    _policies: dict[int, rules.Policy] = field(default_factory=dict)

    @classmethod
    def of(cls, parameter: str, region_code: int, value: Any, on: date) -> "Trial":
        """Try a value of a parameter. Raises ValueNotTried."""
        if parameter not in rules.PARAMETERS:
            detail = "Nothing that is derived of a child hangs on it."
            raise ValueNotTried.at("#/parameter", "parameter_not_tried", detail)
        if _size(value) > MOST_SAID or not _fits(parameter).is_valid(value) or not _dated(value):
            detail = "It is not shaped as the parameter's schema says."
            raise ValueNotTried.at("#/value", "value_invalid", detail)
        return cls(parameter, region_code, value, on)

    def policy(self, region_code: int) -> rules.Policy:
        """Return the policy of a place, were the value set: one that is nearer to it stays."""
        if region_code not in self._policies:
            tried = ParameterValue(self.parameter, self.region_code, self.on, None, self.value, "-")
            others = [
                each
                for each in policy.values()
                if (each.name, each.region_code) != (self.parameter, self.region_code)
            ]
            found = effective((*others, tried), self.parameter, region_code, self.on)
            now = derivation.policy_on(region_code, self.on)
            self._policies[region_code] = {**now, self.parameter: found.value}
        return self._policies[region_code]

    def of_file(self, tx: Tx, row: Mapping[str, Any]) -> Tried:
        place, told = row["region_code"], Told.all_of(row["told"])
        file = sealing.whole(tx.keyring, row)
        facts = rules.Facts(row["birth_date"], place, file, told)
        after = _keys(rules.derive(facts, self.policy(place), self.on))
        if row["derived"]:
            return Tried(_keys(row), after, row["page"])
        now = rules.derive(facts, derivation.policy_on(place, self.on), self.on)
        return Tried(_keys(now), after, row["page"])


def _size(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inside))


# JSON has 10.0 for 10; no rule counts years by it.
_Strict: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    ),
)


@cache
def _fits(parameter: str) -> Any:
    return _Strict(policy.parameters()[parameter].of_value)


def _dated(value: Any) -> bool:
    """Tell whether the day of the year that a value names is in every year."""
    if not isinstance(value, dict) or "reckoned_on" not in value:
        return True
    month, day = value["reckoned_on"]
    try:
        date(_COMMON_YEAR, month, day)
    except ValueError:
        return False
    return True


_COMMON_YEAR: Final = 2001


def _keys(found: rules.Derived | Mapping[str, Any]) -> frozenset[Key]:
    said = asdict(found) if isinstance(found, rules.Derived) else found
    return frozenset((kind, code) for kind, name in _SECTIONS for code in said[name])


def may_try(principal: Principal) -> bool:
    """Tell whether a caller reads categories, and where children live."""
    return {"derived", "residence"} <= {*principal.role.reads}


async def try_value(
    tx: Tx, principal: Principal, trial: Trial, region: tuple[int, int]
) -> trial_schemas.PolicyTrial:
    """Say of the children of a region whom the caller may know of what would become of them. Raises
    TrialForbidden; TooManyAtOnce while this process tries another.
    """
    if not may_try(principal):
        raise TrialForbidden
    if _ONE.locked():
        raise TooManyAtOnce(headers=_COME_BACK)
    async with _ONE:
        return await _try(tx, principal, trial, region)


async def _try(
    tx: Tx, principal: Principal, trial: Trial, region: tuple[int, int]
) -> trial_schemas.PolicyTrial:
    files = (await counting.count(tx, principal, region)).files
    where = queries.visible(principal)
    where.add("c.region_code >= {} AND c.region_code < {}", *region)
    if files <= LIMIT:  # it may have been so an hour ago
        files = await tx.connection.fetchval(
            f"SELECT count(*) FROM children c WHERE {where}", *where.arguments
        )
    exact = files <= LIMIT
    share, drawn, page = LIMIT / max(files, LIMIT), "", _ITSELF
    if files > _BY_FILE:
        drawn, page = _PAGES.format(where.bind(100 * share)), _PAGE
    elif not exact:
        where.add(_DRAWN, int(share * (1 << 20)))
    derived = AS_OF_TODAY.format(where.bind(trial.on), where.bind(derivation.made_by()))
    rows = await tx.connection.fetch(
        f"{FILES.format(derived=derived, page=page, drawn=drawn)} WHERE {where}", *where.arguments
    )
    tried = []
    for row in rows:
        await asyncio.sleep(0)  # others are answered meanwhile
        tried.append(trial.of_file(tx, row))
    return trial_schemas.PolicyTrial(
        parameter=trial.parameter,
        region_code=region_text(trial.region_code),
        exact=exact,
        files=files,
        looked_at=len(rows),
        effects=effects(tried, None if exact else files),
    )


def effects(tried: Sequence[Tried], files: int | None) -> list[trial_schemas.TriedEffect]:
    """Count by what children are in; of a sample of so many `files`, None: of all. What is told of
    too few stays out.
    """
    keys = sorted({key for each in tried for key in each.before | each.after})
    found = [
        trial_schemas.TriedEffect(
            kind=kind,
            code=code,
            before=_counted(tried, [(kind, code) in each.before for each in tried], files),
            after=_counted(tried, [(kind, code) in each.after for each in tried], files),
            gained=_counted(
                tried, [(kind, code) in each.after - each.before for each in tried], files
            ),
            lost=_counted(
                tried, [(kind, code) in each.before - each.after for each in tried], files
            ),
        )
        for kind, code in keys
    ]
    return told(found)


def told(found: Sequence[trial_schemas.TriedEffect]) -> list[trial_schemas.TriedEffect]:
    """Leave out what is, and would be, of too few."""
    return [each for each in found if each.before.count or each.after.count]


def _counted(
    tried: Sequence[Tried], so: Sequence[bool], files: int | None
) -> trial_schemas.Counted:
    """To the nearest five: `low` and `high` hold whatever it may be."""
    if files is None:
        return nearest(sum(so))
    share, low, high = interval(
        Counter(each.page for each in tried),
        Counter(each.page for each, holds in zip(tried, so, strict=True) if holds),
    )
    return trial_schemas.Counted(
        count=_NEAREST * round(share * files / _NEAREST),
        low=_NEAREST * floor(low * files / _NEAREST),
        high=_NEAREST * ceil(high * files / _NEAREST),
    )


_NEAREST: Final = 5


def nearest(number: int, unsure: int = 0) -> trial_schemas.Counted:
    """Tell a count to the nearest five; so many of those counted may be one too many, or few."""
    count, off = _NEAREST * round(number / _NEAREST), _NEAREST // 2 + unsure
    return trial_schemas.Counted(count=count, low=max(count - off, 0), high=count + off)


def interval(drawn: Mapping[int, int], so: Mapping[int, int]) -> tuple[float, float, float]:
    """Return the share of those of whom something is so, and between what it lies, 19 times of 20:
    Wilson's interval of as many as the sample is worth. Files of one page are like each other, so
    pages are what was drawn.
    """
    number, pages = sum(drawn.values()), len(drawn)
    share = sum(so.values()) / number
    off = sum((so.get(page, 0) - share * of) ** 2 for page, of in drawn.items())
    variance = off * pages / max(pages - 1, 1) / number**2
    worth = min(number, share * (1 - share) / variance) if variance else number
    middle, around = share + _Z**2 / (2 * worth), share * (1 - share) / worth
    half = _Z * sqrt(around + _Z**2 / (4 * worth**2))
    whole = 1 + _Z**2 / worth
    return share, max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0)
